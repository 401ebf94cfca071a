// Tools of the project in the launcher: programs with pages of their own, started once their command is confirmed.

import { ILabShell, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { URLExt } from '@jupyterlab/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { LabIcon } from '@jupyterlab/ui-components';
import { DisposableSet } from '@lumino/disposable';
import { Asking } from './asking';
import { showFailure } from './failure';
import { toolIcon } from './icons';
import { LockgateError } from './request';
import { ILockgate } from './tokens';
import type { ITool, ITools } from './tool';

const OPEN = 'lockgate:open-tool';
/** Below notebooks (0) and consoles (20), above what else there is (100). */
const RANK = 30;
const TELLING = new Set(['standing', 'placed', 'synced']);

export const toolsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:tools',
  description: 'Offers the tools of a project in the launcher.',
  autoStart: true,
  requires: [ILockgate, ILauncher],
  optional: [IDefaultFileBrowser, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    { client, news }: ILockgate,
    launcher: ILauncher,
    browser: IDefaultFileBrowser | null,
    shell: ILabShell | null
  ) => {
    const { baseUrl } = app.serviceManager.serverSettings;
    let shown = new DisposableSet();
    let known = '';

    function folder(): string {
      return browser?.model.path ?? '';
    }

    function imageIcon(path: string): LabIcon {
      // As an image, a drawing of the project runs no script of its own
      const href = URLExt.join(baseUrl, 'files', URLExt.encodeParts(path)).replace(/"/g, '%22').replace(/&/g, '&amp;');
      const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><image href="${href}" width="16" height="16"/></svg>`;
      return new LabIcon({ name: `lockgate:tool:${path}`, svgstr });
    }

    app.commands.addCommand(OPEN, {
      label: args => String(args.title ?? 'Tool'),
      caption: args => `${args.title ?? 'Tool'}: a tool of this project, in a tab of its own`,
      icon: args => (args.icon ? imageIcon(String(args.icon)) : toolIcon),
      execute: async args => {
        try {
          const path = String(args.path);
          // Asked anew: what is confirmed is the command as it is now
          const { tools, project } = await client.get<ITools>('api/tools', { path });
          const tool = tools.find(each => each.name === args.name);
          if (!tool) {
            throw new LockgateError(`The project has no tool ${args.name} any more`, 'lockgate.toml names its tools.', 'tool-unknown');
          }
          const { openTool } = await import('./toolopening');
          await openTool(client, baseUrl, path, project, tool);
        } catch (error) {
          await showFailure('The tool cannot be opened', error);
        }
      }
    });

    const asking = new Asking(async () => {
      const path = folder();
      let tools: ITool[] = [];
      try {
        tools = (await client.get<ITools>('api/tools', { path })).tools;
      } catch {
        // A manifest that cannot be read, or no answer: the Run button tells why
      }
      const found = JSON.stringify([path, tools.map(({ name, title, icon }) => [name, title, icon])]);
      if (found === known) {
        return;
      }
      known = found;
      shown.dispose();
      shown = new DisposableSet();
      tools.forEach(({ name, title, icon }, rank) =>
        shown.add(launcher.add({ command: OPEN, category: 'Tools', categoryRank: RANK, rank, args: { name, title, icon, path } }))
      );
    });

    browser?.model.pathChanged.connect(() => void asking.ask());
    news.came.connect((_, came) => void (TELLING.has(came.kind) && asking.ask()));
    shell?.currentChanged.connect((_, { newValue }) => void (newValue?.id.startsWith('launcher') && asking.ask()));
    void app.restored.then(() => asking.ask());
  }
};
