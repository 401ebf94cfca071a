// The way to the server extension, shared by all plugins.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { News } from './news';
import { Client } from './request';
import { ILockgate } from './tokens';

export const lockgatePlugin: JupyterFrontEndPlugin<ILockgate> = {
  id: '@lockgate/jupyterlab:plugin',
  description: 'Speaks to the Lockgate server extension.',
  autoStart: true,
  provides: ILockgate,
  optional: [ISettingRegistry],
  activate: (app: JupyterFrontEnd, settings: ISettingRegistry | null): ILockgate => {
    void settings?.load('@lockgate/jupyterlab:plugin');
    const { serverSettings } = app.serviceManager;
    return { client: new Client(serverSettings), news: new News(app.serviceManager) };
  }
};
