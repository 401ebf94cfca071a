// The plugins that Lockgate adds to JupyterLab.

import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { kernelsPlugin } from './kernels';
import { lockgatePlugin } from './lockgate';
import { runPlugin } from './run';

const plugins: JupyterFrontEndPlugin<any>[] = [lockgatePlugin, runPlugin, kernelsPlugin];

export default plugins;
