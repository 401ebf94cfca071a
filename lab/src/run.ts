// The Run button: its colour says whether a run would do anything, a press saves, snapshots and pushes.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, IToolbarWidgetRegistry, Notification, showDialog } from '@jupyterlab/apputils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { caretDownIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { ReadonlyJSONObject } from '@lumino/coreutils';
import { Message } from '@lumino/messaging';
import { Menu, Widget } from '@lumino/widgets';
import { Board } from './board';
import { saveAll } from './documents';
import { notifyFailure, showFailure } from './failure';
import { IReceipt, IStanding, short } from './project';
import { LockgateError } from './request';
import { ILockgate } from './tokens';

export namespace RunCommands {
  export const run = 'lockgate:run';
  export const runThis = 'lockgate:run-this';
  export const runFrom = 'lockgate:run-from';
  export const runWith = 'lockgate:run-with-parameters';
  export const runOn = 'lockgate:run-on';
  export const forecast = 'lockgate:what-would-run';
  export const cancel = 'lockgate:cancel';
}

/** What `POST lockgate/runs` takes beside the path. */
interface IAsked {
  only?: string[];
  force?: string[];
  params?: { [name: string]: string };
  backend?: string;
}

interface IOffered {
  name: string;
  is_default: boolean;
}

const LABELS: { [state: string]: string } = {
  'no-project': 'Begin a project',
  broken: 'Mend lockgate.toml',
  known: 'Up to date',
  'would-run': 'Run',
  running: 'Running'
};

/** One document's button, with the menu beside it. */
export class RunButton extends Widget {
  private readonly main = document.createElement('button');
  private readonly dot = document.createElement('span');
  private readonly label = document.createElement('span');
  private readonly more = document.createElement('button');

  constructor(
    readonly board: Board,
    private readonly commands: CommandRegistry,
    private readonly menu: () => Promise<Menu>
  ) {
    super();
    this.addClass('lg-run');
    this.main.className = 'lg-run-main';
    this.main.type = 'button';
    this.dot.className = 'lg-run-dot';
    this.dot.setAttribute('aria-hidden', 'true');
    this.label.className = 'lg-run-label';
    this.main.append(this.dot, this.label);
    this.more.className = 'lg-run-more';
    this.more.type = 'button';
    this.more.title = 'More ways to run';
    this.more.setAttribute('aria-label', 'More ways to run');
    this.more.setAttribute('aria-haspopup', 'menu');
    caretDownIcon.element({ container: this.more, elementPosition: 'center' });
    this.node.append(this.main, this.more);
    this.main.addEventListener('click', () => void this.commands.execute(RunCommands.run));
    this.more.addEventListener('click', () => void this.open());
    board.changed.connect(this.render, this);
    this.render();
  }

  dispose(): void {
    this.board.dispose();
    super.dispose();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.render();
  }

  private async open(): Promise<void> {
    const menu = await this.menu();
    const place = this.node.getBoundingClientRect();
    menu.open(place.left, place.bottom);
  }

  private render(): void {
    const { standing, failure, progress, isDirty, isBehind } = this.board;
    const isOpen = standing?.state === 'known' && (isDirty || isBehind);
    const state = failure ? 'broken' : isOpen ? 'would-run' : standing?.state ?? 'unknown';
    this.node.dataset.state = state;
    let label = LABELS[state] ?? 'Run';
    if (failure) {
      label = 'Not reached';
    } else if (state === 'running' && progress?.total) {
      label = `Running ${progress.settled ?? 0} of ${progress.total}`;
    }
    this.label.textContent = label;
    const words = describe(standing, failure, isDirty);
    this.main.title = words;
    this.main.setAttribute('aria-label', `Lockgate: ${label}. ${words}`);
  }
}

function describe(standing: IStanding | null, failure: unknown, isDirty: boolean): string {
  if (failure) {
    return failure instanceof LockgateError ? `${failure.message}. ${failure.hint}` : String(failure);
  }
  if (!standing) {
    return 'Looking at the project…';
  }
  if (isDirty && standing.state === 'known') {
    return 'This notebook has unsaved changes; a press saves them';
  }
  return standing.hint ? `${standing.words}. ${standing.hint}` : standing.words;
}

export const runPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:run',
  description: 'Runs the project of a notebook as a batch job.',
  autoStart: true,
  requires: [ILockgate, INotebookTracker, IToolbarWidgetRegistry],
  activate: (app: JupyterFrontEnd, lockgate: ILockgate, tracker: INotebookTracker, toolbars: IToolbarWidgetRegistry) => {
    const { client, news } = lockgate;
    const { commands } = app;
    const boards = new WeakMap<Widget, Board>();

    toolbars.addFactory<NotebookPanel>('Notebook', 'lockgate-run', panel => {
      const board = new Board(client, news, panel.context);
      boards.set(panel, board);
      return new RunButton(board, commands, () => menuOf(board));
    });

    const current = (): DocumentWidget | null => tracker.currentWidget;
    const board = (): Board | null => {
      const widget = current();
      return (widget && boards.get(widget)) ?? null;
    };

    async function begin(at: Board): Promise<boolean> {
      const folder = at.context.path.split('/').slice(0, -1).join('/');
      const sure = await showDialog({
        title: 'Make this folder a project?',
        body: `“${folder || 'The folder of this server'}” becomes a git repository with a lockgate.toml, written from what is in it. Nothing that is there is changed.`,
        buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Begin' })]
      });
      if (!sure.button.accept) {
        return false;
      }
      try {
        await client.post('project', { path: folder });
        await at.look();
        return true;
      } catch (error) {
        await showFailure('The project was not begun', error);
        return false;
      }
    }

    async function run(asked: IAsked): Promise<void> {
      const at = board();
      if (!at) {
        return;
      }
      if (at.standing?.state === 'no-project') {
        await begin(at);
        return;
      }
      try {
        const receipt = await at.during(async () => {
          await saveAll(app);
          return client.post<IReceipt>('runs', { path: at.context.path, ...asked });
        });
        Notification.info(`Run ${short(receipt.run)} is queued`, { autoClose: 4000 });
      } catch (error) {
        await showFailure('Nothing was run', error);
      }
    }

    commands.addCommand(RunCommands.run, {
      label: 'Run the Project',
      caption: 'Save, then run what is not known yet as a batch job',
      isEnabled: () => board() !== null,
      execute: args => run(args as IAsked)
    });
    commands.addCommand(RunCommands.runThis, {
      label: 'This Notebook Only',
      isEnabled: () => own(board()).length > 0,
      caption: 'Run the stages that execute this notebook, and what they need',
      execute: () => run({ only: own(board()) })
    });
    commands.addCommand(RunCommands.runFrom, {
      label: args => `From ${String(args.stage)}`,
      execute: args => run({ force: [String(args.stage)] })
    });
    commands.addCommand(RunCommands.runOn, {
      label: args => `${String(args.backend)}${args.isDefault ? ' (the usual one)' : ''}`,
      execute: args => run({ backend: String(args.backend) })
    });
    commands.addCommand(RunCommands.runWith, {
      label: 'With Parameters…',
      isEnabled: () => Object.keys(board()?.standing?.params ?? {}).length > 0,
      execute: async () => {
        // Dialogs are loaded when they are opened first
        const { askParameters } = await import('./parameters');
        const params = await askParameters(board()?.standing?.params ?? {});
        if (params) {
          await run({ params });
        }
      }
    });
    commands.addCommand(RunCommands.forecast, {
      label: 'What Would Run, and Why…',
      isEnabled: () => (board()?.standing?.stages.length ?? 0) > 0,
      execute: async () => {
        const at = board();
        if (at) {
          await saveAll(app);
          const { showForecast } = await import('./whatwouldrun');
          await showForecast(client, at.context.path);
        }
      }
    });
    commands.addCommand(RunCommands.cancel, {
      label: 'Cancel the Run',
      isEnabled: () => (board()?.standing?.running.length ?? 0) > 0,
      execute: async () => {
        const at = board();
        for (const id of at?.standing?.running ?? []) {
          try {
            await client.post(`runs/${id}/cancel`, {}, { path: at!.context.path });
          } catch (error) {
            notifyFailure(error);
          }
        }
      }
    });

    async function menuOf(at: Board): Promise<Menu> {
      const menu = new Menu({ commands });
      menu.addItem({ command: RunCommands.runThis });
      const stages = at.standing?.stages ?? [];
      if (stages.length > 0) {
        const from = new Menu({ commands });
        from.title.label = 'From Stage';
        for (const stage of stages.slice(0, 40)) {
          from.addItem({ command: RunCommands.runFrom, args: { stage: stage.name } });
        }
        menu.addItem({ type: 'submenu', submenu: from });
      }
      menu.addItem({ command: RunCommands.runWith });
      try {
        const offered = await client.get<IOffered[]>('backends', { path: at.context.path });
        const on = new Menu({ commands });
        on.title.label = 'On Another Backend';
        for (const backend of offered) {
          const args: ReadonlyJSONObject = { backend: backend.name, isDefault: backend.is_default };
          on.addItem({ command: RunCommands.runOn, args });
        }
        menu.addItem({ type: 'submenu', submenu: on });
      } catch {
        // Without a hub there is nothing to choose; the run itself will say why
      }
      menu.addItem({ type: 'separator' });
      menu.addItem({ command: RunCommands.forecast });
      menu.addItem({ command: RunCommands.cancel });
      return menu;
    }

    news.came.connect((_, came) => {
      if (came.kind === 'placed') {
        const { run: id, state, written, kept } = came.data;
        const files = written.filter((path: string) => path !== 'lockgate.lock').length;
        if (state === 'succeeded') {
          Notification.success(
            `Run ${short(id)} succeeded` + (files ? `: ${files} ${files === 1 ? 'file' : 'files'} in the project` : ''),
            { autoClose: 6000 }
          );
        } else {
          Notification.error(`Run ${short(id)} ${state}`, { autoClose: false });
        }
        if (kept.length) {
          Notification.warning(`Left as you edited them meanwhile: ${kept.join(', ')}`, { autoClose: false });
        }
      } else if (came.kind === 'lost') {
        notifyFailure(new LockgateError(came.data.message, came.data.hint, came.data.code));
      }
    });
  }
};

/** The stages that execute the notebook at hand. */
function own(board: Board | null): string[] {
  const standing = board?.standing;
  return standing?.stages.filter(stage => stage.notebook === standing.path).map(stage => stage.name) ?? [];
}
