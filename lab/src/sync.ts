// The Sync button: save, then commit, pull and push in one; conflicts are asked about, and all can be undone.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IToolbarWidgetRegistry, Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import type { IConflict } from './conflicts';
import { around, pathAtHand } from './documents';
import { showFailure } from './failure';
import { syncIcon } from './icons';
import { LockgateError } from './request';
import { ITrouble, Waiting } from './waiting';
import { ILockgate } from './tokens';
import { commits } from './words';

export namespace SyncCommands {
  export const sync = 'lockgate:sync';
  export const undo = 'lockgate:sync-undo';
}

/** Mirrors lockgate.hub.sync.sync.Synced. */
interface ISynced {
  branch: string;
  committed: string | null;
  got: number;
  sent: number;
  changed: string[];
  data: string[];
  run: string | null;
  conflicts: IConflict[];
  trouble: ITrouble | null;
  mended: string;
  notes: string[];
  can_undo: boolean;
}

/** Mirrors lockgate.hub.sync.undo.Undone. */
interface IUndone {
  branch: string;
  changed: string[];
  on_hub: string;
}

/** One document's button: how much waits stands in it. */
export class SyncButton extends Widget {
  private readonly main = document.createElement('button');
  private readonly label = document.createElement('span');

  constructor(
    readonly waiting: Waiting,
    commands: CommandRegistry
  ) {
    super();
    this.addClass('lg-sync');
    this.main.type = 'button';
    this.main.className = 'lg-sync-main';
    const sign = document.createElement('span');
    sign.className = 'lg-sync-sign';
    sign.setAttribute('aria-hidden', 'true');
    syncIcon.element({ container: sign });
    this.label.className = 'lg-sync-label';
    this.main.append(sign, this.label);
    this.node.append(this.main);
    this.main.addEventListener('click', () => void commands.execute(SyncCommands.sync));
    waiting.changed.connect(this.render, this);
    this.render();
  }

  dispose(): void {
    this.waiting.dispose();
    super.dispose();
  }

  private render(): void {
    const { state, label, words: told } = this.waiting;
    this.node.dataset.state = state;
    this.main.disabled = state === 'syncing';
    this.label.textContent = label;
    this.main.title = told;
    this.main.setAttribute('aria-label', `Lockgate: ${label}. ${told}`);
  }
}

export const syncPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:sync',
  description: 'Commits, pulls and pushes the project of a notebook in one.',
  autoStart: true,
  requires: [ILockgate, INotebookTracker, IDocumentManager, IToolbarWidgetRegistry],
  activate: (
    app: JupyterFrontEnd,
    lockgate: ILockgate,
    tracker: INotebookTracker,
    documents: IDocumentManager,
    toolbars: IToolbarWidgetRegistry
  ) => {
    const { client, news } = lockgate;
    const { commands } = app;
    const known = new Set<Waiting>();

    toolbars.addFactory<NotebookPanel>('Notebook', 'lockgate-sync', panel => {
      const waiting = new Waiting(client, news, panel.context);
      known.add(waiting);
      panel.disposed.connect(() => known.delete(waiting));
      return new SyncButton(waiting, commands);
    });

    const here = (): string => pathAtHand(app, documents) ?? tracker.currentWidget?.context.path ?? '';

    /** Do it with documents saved before and shown anew after it; buttons tell of it meanwhile. */
    async function turning<T>(path: string, work: () => Promise<T>): Promise<T> {
      const waiting = [...known].filter(each => each.context.path === path);
      waiting.forEach(each => each.begin());
      try {
        return await around(app, work);
      } finally {
        waiting.forEach(each => each.end());
      }
    }

    async function sync(): Promise<void> {
      const path = here();
      let choices = {};
      try {
        for (;;) {
          const done = await turning(path, () => client.post<ISynced>('sync', { path, choices }));
          if (done.conflicts.length === 0) {
            tell(done, path);
            return;
          }
          // Dialogs are loaded when they are opened first
          const { askChoices } = await import('./conflicts');
          const chosen = await askChoices(done.conflicts, { mine: 'you', theirs: 'the hub', go: 'Sync' });
          if (!chosen) {
            Notification.info('Nothing was synced; all is as it was', { autoClose: 4000 });
            return;
          }
          choices = { ...choices, ...chosen };
        }
      } catch (error) {
        await showFailure('Nothing was synced', error);
      }
    }

    async function undo(path = here()): Promise<void> {
      try {
        const done = await turning(path, () => client.post<IUndone>('sync/undo', { path }));
        Notification.success(['Undone: all is as before.', done.on_hub].filter(Boolean).join(' '), { autoClose: 8000 });
      } catch (error) {
        await showFailure('Nothing was undone', error);
      }
    }

    function tell(done: ISynced, path: string): void {
      const text = [done.mended, summary(done)].filter(Boolean).join(' ');
      const actions =
        done.can_undo && (done.committed || done.changed.length)
          ? [{ label: 'Undo', caption: 'Put back what was before this sync', callback: () => void undo(path) }]
          : [];
      if (text) {
        Notification.success(text, { autoClose: 10000, actions });
      }
      if (done.trouble) {
        const { message, hint, code } = done.trouble;
        // Lab cuts a notification off at 140 characters: the rest is in the dialog
        const cause = message.split(': ')[0];
        const more = { label: 'Details', callback: () => void showFailure('Not sent', new LockgateError(message, hint, code)) };
        Notification.warning(`Not sent: ${cause}. ${hint}`, { autoClose: false, actions: [more] });
      }
    }

    commands.addCommand(SyncCommands.sync, {
      label: 'Sync with the Hub',
      caption: 'Save, then commit, pull and push in one',
      icon: syncIcon,
      execute: () => sync()
    });
    commands.addCommand(SyncCommands.undo, {
      label: 'Undo the Last Sync or Merge',
      caption: 'Put files, branch and index back as they were before it',
      execute: args => undo(typeof args.path === 'string' ? args.path : undefined)
    });
  }
};

function summary(done: ISynced): string {
  const told: string[] = [];
  if (done.committed) {
    told.push(`Committed: ${done.committed}.`);
  }
  if (done.data.length) {
    told.push(`Too large for git, so data now: ${done.data.join(', ')}.`);
  }
  if (done.got) {
    told.push(`Got ${commits(done.got)}.`);
    told.push(...done.notes.map(note => `Note: ${note}.`));
  }
  if (done.sent) {
    told.push(`Sent ${commits(done.sent)}.`);
  }
  if (done.run) {
    told.push(`Run ${done.run.slice(-8)} is queued.`);
  }
  return told.length || done.trouble ? told.join(' ') : 'Nothing to sync: the hub has all of it.';
}
