// The panel Runs: what is queued, goes on, and ended in the project of the document at hand; live.

import { ILayoutRestorer, ILabShell, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { Message } from '@lumino/messaging';
import { PanelLayout, Widget } from '@lumino/widgets';
import { Asking } from './asking';
import { make } from './dom';
import { saveAll } from './documents';
import { showFailure, words } from './failure';
import { runsIcon } from './icons';
import { INews, News } from './news';
import { IReceipt, short } from './project';
import { Client } from './request';
import { IListed, IRunLine, IStageShown } from './runshown';
import type { IRunOpener, RunView } from './runview';
import { ILockgate } from './tokens';
import { ago, duration, stateWord } from './words';

export namespace RunsCommands {
  export const show = 'lockgate:show-runs';
}

const TELLING = new Set(['runs', 'run', 'placed', 'lost', 'standing', 'synced']);
const OPEN_STATES = new Set(['received', 'queued', 'preparing', 'running', 'recording']);

export class RunsPanel extends Widget {
  private readonly list = new Widget();
  private view: RunView | null = null;
  private path: string | null = null;
  private listed: IListed | null = null;
  private readonly asking = new Asking(() => this.fetch());
  /** What is shown was not asked for since something changed: it was hidden. */
  private isStale = true;

  constructor(
    private readonly client: Client,
    private readonly news: News,
    private readonly app: JupyterFrontEnd,
    private readonly openerAt: (path: string) => IRunOpener
  ) {
    super();
    this.id = 'lockgate-runs';
    this.addClass('lg-panel');
    this.title.icon = runsIcon;
    this.title.caption = 'Runs (Lockgate)';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Runs');
    const layout = (this.layout = new PanelLayout());
    layout.addWidget(this.list);
    news.came.connect(this.hear, this);
    this.render();
  }

  get isLooking(): boolean {
    return this.path !== null;
  }

  /** Show the project that a file lies in; the one before where it lies in none. */
  async lookAt(path: string): Promise<void> {
    if (path !== this.path) {
      this.path = path;
      await this.look();
    }
  }

  async open(run: string): Promise<void> {
    if (this.path === null) {
      return;
    }
    // Loaded when a run is opened first
    const { RunView } = await import('./runview');
    this.close_();
    const { client, news } = this;
    this.view = new RunView(client, news, this.app.commands, this.path, run, this.openerAt(this.path), () => this.backToList(run));
    (this.layout as PanelLayout).addWidget(this.view);
    this.list.hide();
    this.view.activate();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    if (this.isStale) {
      void this.look();
    }
  }

  private backToList(run: string): void {
    this.close_();
    this.list.show();
    void this.look();
    this.list.node.querySelector<HTMLElement>(`[data-run='${run}']`)?.focus();
  }

  private close_(): void {
    this.view?.dispose();
    this.view = null;
  }

  private hear(_: News, came: INews): void {
    if (this.listed && came.root === this.listed.root && TELLING.has(came.kind)) {
      void this.look();
    }
  }

  private async look(): Promise<void> {
    this.isStale = true;
    if (this.path !== null && this.isVisible) {
      this.isStale = false;
      await this.asking.ask();
    }
  }

  private async fetch(): Promise<void> {
    try {
      const before = this.listed;
      this.listed = await this.client.get<IListed>('runs', { path: this.path! });
      if (before && before.root !== this.listed.root && this.view) {
        this.close_();
        this.list.show();
      }
      this.render();
    } catch (error) {
      this.render(error);
    }
    await this.view?.look();
  }

  private render(failure: unknown = null): void {
    const listed = this.listed;
    const focused = this.list.node.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.run : undefined;
    const parts: HTMLElement[] = [];
    if (failure) {
      const told = words(failure);
      parts.push(make('p', { class: 'lg-note', role: 'alert' }, `${told.message}. ${told.hint}`));
    } else if (!listed) {
      parts.push(make('p', { class: 'lg-note' }, 'Open a file of a project to see its runs.'));
    }
    if (listed) {
      const where = listed.branch ? `branch ${listed.branch}` : 'no branch checked out';
      parts.unshift(make('header', { class: 'lg-panel-head' }, make('h2', {}, listed.project), make('p', { class: 'lg-faint' }, where)));
      const open = listed.runs.filter(run => OPEN_STATES.has(run.state));
      const ended = listed.runs.filter(run => !OPEN_STATES.has(run.state));
      if (open.length > 0) {
        parts.push(this.group('In the queue', open));
      }
      if (ended.length > 0) {
        parts.push(this.group('Ended', ended));
      }
      if (listed.runs.length === 0 && !failure) {
        parts.push(make('p', { class: 'lg-note' }, 'Nothing was run yet. Open a notebook and press Run above it.'));
      }
    }
    this.list.node.replaceChildren(...parts);
    if (focused) {
      this.list.node.querySelector<HTMLElement>(`[data-run='${focused}']`)?.focus();
    }
  }

  private group(title: string, runs: IRunLine[]): HTMLElement {
    const list = make('ul', { class: 'lg-run-list', 'aria-label': title });
    for (const run of runs) {
      const took = run.seconds === null ? '' : ` · ${duration(run.seconds)}`;
      const open = make(
        'button',
        { type: 'button', class: 'lg-run-line', 'data-run': run.id, 'data-state': run.state },
        make('span', { class: 'lg-dot', 'aria-hidden': 'true' }),
        make('span', { class: 'lg-run-id' }, short(run.id)),
        make('span', { class: 'lg-state', 'data-state': run.state }, stateWord(run.state)),
        make('span', { class: 'lg-faint lg-run-about' }, `${run.where} · ${run.member} · ${ago(run.created_at)}${took}`),
        run.cause ? make('span', { class: 'lg-cause' }, run.cause) : null
      );
      open.addEventListener('click', () => void this.open(run.id));
      list.append(make('li', {}, open));
    }
    return make('section', {}, make('h3', {}, title), list);
  }
}

export const runsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:runs',
  description: 'Shows the runs of a project, live.',
  autoStart: true,
  requires: [ILockgate, IDocumentManager],
  optional: [ILabShell, ILayoutRestorer, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    lockgate: ILockgate,
    documents: IDocumentManager,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    browser: IDefaultFileBrowser | null
  ) => {
    const { client, news } = lockgate;
    const panel = new RunsPanel(client, news, app, openerAt);

    function show(node: HTMLElement, id: string, title: string, ref: string | null = null): void {
      // Lab gives the content a role and a label of its own
      const content = new Widget();
      content.addClass('lg-page');
      content.node.append(node);
      const page = new MainAreaWidget({ content });
      page.id = id;
      page.title.label = title;
      page.title.icon = runsIcon;
      page.title.closable = true;
      app.shell.add(page, 'main', ref ? { mode: 'split-right', ref } : {});
      app.shell.activateById(page.id);
    }

    function openerAt(path: string): IRunOpener {
      const rootOf = async (): Promise<string> => (await client.get<IListed>('runs', { path })).root;
      const under = (root: string, file: string): string => (root ? `${root}/${file}` : file);
      return {
        picture(run, file) {
          const picture = make('img', { class: 'lg-picture', src: client.url(`runs/${run}/file`, { path, file }), alt: file });
          show(make('div', { tabindex: 0 }, picture), `lockgate-picture-${run}-${file}`, `${file} (${short(run)})`);
        },
        async again(shown) {
          try {
            await saveAll(app);
            // What succeeded is known, so that without being asked for nothing of it would run
            const force = shown.line.state === 'succeeded' ? shown.stages.map(stage => stage.name) : [];
            const receipt = await client.post<IReceipt>('runs', { path, params: shown.params, force });
            Notification.info(`Run ${short(receipt.run)} is queued`, { autoClose: 4000 });
            await panel.open(receipt.run);
          } catch (error) {
            await showFailure('Nothing was run', error);
          }
        },
        async inputs(run, stage) {
          try {
            const opened = await client.post<{ folder: string; notebook: string | null }>(`runs/${run}/open`, { stage }, { path });
            const root = await rootOf();
            if (opened.notebook) {
              documents.openOrReveal(under(root, `${opened.folder}/${opened.notebook}`));
            } else {
              await browser?.model.cd(`/${under(root, opened.folder)}`);
              app.shell.activateById('filebrowser');
            }
          } catch (error) {
            await showFailure('Its inputs cannot be laid out', error);
          }
        },
        async beside(run: string, stage: IStageShown) {
          try {
            await saveAll(app);
            const root = await rootOf();
            const mine = documents.openOrReveal(under(root, stage.notebook!));
            const found = await client.post<any>(`runs/${run}/executed`, { file: stage.executed, mine: stage.notebook }, { path });
            const copy = documents.openOrReveal(under(root, found.copy), undefined, undefined, {
              mode: 'split-right',
              ref: mine?.id
            });
            const { showCellChanges } = await import('./cellchanges');
            show(showCellChanges(found), `lockgate-changes-${run}-${stage.name}`, `Changes in ${short(run)}`);
            if (copy) {
              app.shell.activateById(copy.id);
            }
          } catch (error) {
            await showFailure('The executed copy cannot be shown', error);
          }
        }
      };
    }

    function follow(): void {
      const widget = app.shell.currentWidget;
      const context = widget && documents.contextForWidget(widget);
      if (context) {
        void panel.lookAt(context.path);
      } else if (browser && !panel.isLooking) {
        void panel.lookAt(browser.model.path);
      }
    }

    app.commands.addCommand(RunsCommands.show, {
      label: 'Show the Runs',
      caption: 'What is queued, goes on, and ended in this project',
      icon: runsIcon,
      execute: async args => {
        app.shell.activateById(panel.id);
        if (typeof args.path === 'string') {
          await panel.lookAt(args.path);
        }
        if (typeof args.run === 'string') {
          await panel.open(args.run);
        }
      }
    });
    app.shell.add(panel, 'left', { rank: 150 });
    restorer?.add(panel, panel.id);
    shell?.currentChanged.connect(follow);
    void app.restored.then(follow);
  }
};
