// Kernels that projects bring along: found when a file is opened, and how the building of a runtime goes.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ILockgate } from './tokens';

export const kernelsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:kernels',
  description: 'Shows the kernels of projects, and how their runtimes are built.',
  autoStart: true,
  requires: [ILockgate, INotebookTracker],
  activate: (app: JupyterFrontEnd, lockgate: ILockgate, tracker: INotebookTracker) => {
    const { client, news } = lockgate;
    const shown = new Map<string, string>();

    async function look(path: string): Promise<void> {
      try {
        const { changed } = await client.post<{ changed: string[] }>('kernels', {}, { path });
        if (changed.length > 0) {
          await app.serviceManager.kernelspecs.refreshSpecs();
        }
      } catch {
        // Without an answer the kernels stay as they were; the Run button tells that the server is away
      }
    }

    function show(root: string, kernel: string, state: string, words: string): void {
      const key = `${root}/${kernel}`;
      const id = shown.get(key);
      const project = root && root !== '..' ? ` of ${root}` : '';
      if (state === 'building') {
        const message = `Kernel ${kernel}${project}: ${words}. This is done once.`;
        if (id) {
          Notification.update({ id, message });
        } else {
          shown.set(key, Notification.emit(message, 'in-progress', { autoClose: false }));
        }
        return;
      }
      shown.delete(key);
      const type = state === 'ready' ? 'success' : 'error';
      const autoClose = state === 'ready' ? 5000 : false;
      if (id) {
        Notification.update({ id, message: words, type, autoClose });
      } else {
        Notification.emit(words, type, { autoClose });
      }
    }

    tracker.widgetAdded.connect((_, panel) => void look(panel.context.path));
    news.came.connect((_, came) => {
      if (came.kind === 'kernel') {
        show(came.root, came.data.kernel, came.data.state, came.data.words);
      } else if (came.kind === 'synced' || came.kind === 'kernels') {
        void look(came.root === '..' ? '' : came.root);
      }
    });
  }
};
