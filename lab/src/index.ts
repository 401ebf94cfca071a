// The plugins that Lockgate adds to JupyterLab.

import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { activityPlugin } from './activity';
import { branchesPlugin } from './branches';
import { cellIdsPlugin } from './cellids';
import { fileActionsPlugin } from './fileactions';
import { kernelsPlugin } from './kernels';
import { lockgatePlugin } from './lockgate';
import { mergePlugin } from './mergebranch';
import { runPlugin } from './run';
import { runsPlugin } from './runs';
import { syncPlugin } from './sync';
import { toolsPlugin } from './tools';
import { tourPlugin } from './tour';

const plugins: JupyterFrontEndPlugin<any>[] = [
  lockgatePlugin,
  activityPlugin,
  branchesPlugin,
  cellIdsPlugin,
  fileActionsPlugin,
  kernelsPlugin,
  mergePlugin,
  runPlugin,
  runsPlugin,
  syncPlugin,
  toolsPlugin,
  tourPlugin
];

export default plugins;
