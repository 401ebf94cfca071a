// The plugins that Lockgate adds to JupyterLab.

import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { activityPlugin } from './activity';
import { kernelsPlugin } from './kernels';
import { lockgatePlugin } from './lockgate';
import { runPlugin } from './run';
import { syncPlugin } from './sync';

const plugins: JupyterFrontEndPlugin<any>[] = [lockgatePlugin, runPlugin, kernelsPlugin, activityPlugin, syncPlugin];

export default plugins;
