// Another branch into this one: told before, conflicts decided as in a sync, all of it undone by one press.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import type { Choices } from './conflicts';
import { around, pathAtHand } from './documents';
import { showFailure } from './failure';
import { mergeIcon } from './icons';
import type { IMerged } from './merged';
import { ILockgate } from './tokens';
import { commits } from './words';

export const MERGE = 'lockgate:merge';

export const mergePlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:merge',
  description: 'Merges a branch of a project.',
  autoStart: true,
  requires: [ILockgate, IDocumentManager],
  activate: (app: JupyterFrontEnd, { client }: ILockgate, documents: IDocumentManager) => {
    const { commands } = app;

    async function merge(path: string, branch: string): Promise<void> {
      const ask = (is_dry: boolean, choices: Choices = {}) => client.post<IMerged>('merge', { path, branch, choices, is_dry });
      try {
        const told = await around(app, () => ask(true));
        if (told.commits === 0) {
          Notification.info([told.mended, `Nothing to merge: ${told.into} has all of ${told.branch}.`, ...told.notes].filter(Boolean).join(' '));
          return;
        }
        // Dialogs are loaded when they are opened first
        const [{ askMerge }, { askChoices }] = await Promise.all([import('./mergepreview'), import('./conflicts')]);
        if (!(await askMerge(told))) {
          return;
        }
        let { conflicts } = told;
        let choices: Choices = {};
        for (;;) {
          if (conflicts.length) {
            const chosen = await askChoices(conflicts, { mine: told.into, theirs: told.branch, go: 'Merge' });
            if (!chosen) {
              Notification.info('Nothing was merged; all is as it was', { autoClose: 4000 });
              return;
            }
            choices = { ...choices, ...chosen };
          }
          const done = await around(app, () => ask(false, choices));
          // What both sides have may have changed meanwhile: then it is asked about anew
          conflicts = done.conflicts;
          if (!conflicts.length) {
            tell(done, path);
            return;
          }
        }
      } catch (error) {
        await showFailure('Nothing was merged', error);
      }
    }

    function tell(done: IMerged, path: string): void {
      const text = [
        done.mended,
        done.committed && `Committed first: ${done.committed}.`,
        `Merged ${commits(done.commits)} of ${done.branch} into ${done.into}. The next sync sends it.`,
        ...done.notes.map(note => `Note: ${note}.`)
      ];
      Notification.success(text.filter(Boolean).join(' '), {
        autoClose: 10000,
        actions: [
          {
            label: 'Undo',
            caption: 'Put back what was before this merge',
            callback: () => void commands.execute('lockgate:sync-undo', { path })
          }
        ]
      });
    }

    commands.addCommand(MERGE, {
      label: args => (args.branch ? `Merge ${String(args.branch)}` : 'Merge a Branch…'),
      caption: 'Bring what another branch has into this one',
      icon: mergeIcon,
      isEnabled: () => pathAtHand(app, documents) !== null,
      execute: async args => {
        const path = pathAtHand(app, documents);
        if (path !== null) {
          await (args.branch ? merge(path, String(args.branch)) : commands.execute('lockgate:branches'));
        }
      }
    });
  }
};
