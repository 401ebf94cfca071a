// Tells the server which cell each execution is of: the kernel is told so too, and repeats it to nobody.

import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { ILockgate } from './tokens';

/** So long executions are gathered: the server waits longer for the end of a cell that ends at once. */
const GATHER_MS = 30;

export const cellIdsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:cell-ids',
  description: 'Tells which cell was executed, saved or not.',
  autoStart: true,
  requires: [ILockgate, INotebookTracker],
  activate: (_, lockgate: ILockgate, tracker: INotebookTracker) => {
    let cells: { [message: string]: string } = {};
    let isWaiting = false;

    function send(): void {
      isWaiting = false;
      const told = cells;
      cells = {};
      // Without it the server looks for the code in the saved notebook
      lockgate.client.post('cells', { cells: told }).catch(() => undefined);
    }

    function hear(_: unknown, { direction, msg }: Kernel.IAnyMessageArgs): void {
      const cell = msg.metadata?.cellId;
      if (direction !== 'send' || msg.header.msg_type !== 'execute_request' || typeof cell !== 'string') {
        return;
      }
      cells[msg.header.msg_id] = cell;
      if (!isWaiting) {
        isWaiting = true;
        window.setTimeout(send, GATHER_MS);
      }
    }

    tracker.widgetAdded.connect((_, panel) => {
      const session = panel.sessionContext;
      session.session?.kernel?.anyMessage.connect(hear);
      session.kernelChanged.connect((_, change) => {
        change.oldValue?.anyMessage.disconnect(hear);
        change.newValue?.anyMessage.connect(hear);
      });
    });
  }
};
