// The plugins that Lockgate adds to JupyterLab.

import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { lockgatePlugin } from './lockgate';
import { runPlugin } from './run';

const plugins: JupyterFrontEndPlugin<any>[] = [lockgatePlugin, runPlugin];

export default plugins;
