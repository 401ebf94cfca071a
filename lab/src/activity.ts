// The side panel Activity: what was done in the project at hand, and ways back to it.

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { aboutOf, entryNode, text } from './activityentry';
import { follow, saveAll } from './documents';
import { showFailure, words } from './failure';
import { ILine, IPage, IShown, IWanted, Kind, page } from './feed';
import { historyIcon } from './icons';
import { INews } from './news';
import { Client } from './request';
import { DRIVE, stateDrive } from './states';
import { ILockgate } from './tokens';

const FILTERS: [Kind, string][] = [
  ['figure', 'Figures'],
  ['error', 'Errors'],
  ['cell', 'Cells'],
  ['run', 'Runs'],
  ['other', 'Other']
];
/** News after which the hub may tell more. */
const OF_HUB = new Set(['placed', 'lost', 'synced']);

interface IForeseen {
  title: string;
  changed: string[];
  count: number;
  is_uncommitted: boolean;
}

interface IRolledBack {
  branch: string;
  undo: string | null;
  bring_back: string | null;
}

/** Lists what was done, newest first, a page at a time. */
export class ActivityPanel extends Widget {
  private readonly list = document.createElement('ol');
  private readonly note = text('p', 'lg-activity-note', '');
  private readonly older = text('button', 'lg-button lg-activity-older', 'Older') as HTMLButtonElement;
  private readonly person = document.createElement('select');
  private readonly wanted: IWanted = { kinds: new Set(), by: '', text: '', isImportant: false };
  private readonly nodes = new Map<string, HTMLLIElement>();
  private path: string | null = null;
  private root = '';
  private next: IPage['next'] = null;
  private asked = 0;
  private isStale = true;
  private isOlderAsked = false;

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly client: Client
  ) {
    super();
    this.id = 'lockgate-activity';
    this.title.icon = historyIcon;
    this.title.caption = 'Activity: what was done in this project';
    this.addClass('lg-activity');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Activity of the project');
    this.list.className = 'lg-activity-list';
    this.list.setAttribute('role', 'list');
    this.list.setAttribute('aria-label', 'What was done, newest first');
    this.note.setAttribute('aria-live', 'polite');
    this.older.type = 'button';
    this.older.addEventListener('click', () => void this.more());
    this.node.append(this.head(), this.note, this.list, this.older);
    new IntersectionObserver(seen => {
      if (seen.some(each => each.isIntersecting)) {
        void this.more();
      }
    }).observe(this.older);
    this.render(null);
  }

  /** Show the project of a file; null: no document is open. */
  follow(path: string | null): void {
    if (path !== null && path !== this.path) {
      this.path = path;
      this.refresh();
    }
  }

  hear(news: INews): void {
    if (news.root !== this.root) {
      return;
    }
    if (news.kind === 'activity') {
      this.refresh();
    } else if (OF_HUB.has(news.kind)) {
      void this.ask();
    }
  }

  /** Take what the hub knows, then show it. */
  async ask(): Promise<void> {
    if (this.path === null) {
      return;
    }
    try {
      await this.client.post('activity/refresh', {}, { path: this.path });
    } catch {
      // Without the hub, what is known here is shown
    }
    this.refresh();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    if (this.isStale) {
      this.refresh();
      void this.ask();
    }
  }

  private head(): HTMLElement {
    const head = document.createElement('div');
    head.className = 'lg-activity-head';
    head.append(text('h2', '', 'Activity'));
    const search = document.createElement('input');
    search.type = 'search';
    search.className = 'lg-activity-search';
    search.placeholder = 'Search titles, people, notebooks';
    search.setAttribute('aria-label', 'Search the activity');
    let waiting = 0;
    search.addEventListener('input', () => {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(() => {
        this.wanted.text = search.value.trim();
        this.refresh();
      }, 200);
    });
    const filters = document.createElement('div');
    filters.className = 'lg-activity-filters';
    filters.setAttribute('role', 'group');
    filters.setAttribute('aria-label', 'Kinds');
    const important = this.toggle('Important', on => (this.wanted.isImportant = on));
    important.title = 'Figures, errors, ends of runs, sign-offs';
    filters.append(important);
    for (const [kind, label] of FILTERS) {
      const kinds: Kind[] = kind === 'other' ? ['other', 'sync'] : [kind];
      filters.append(
        this.toggle(label, on => kinds.forEach(each => (on ? this.wanted.kinds.add(each) : this.wanted.kinds.delete(each))))
      );
    }
    this.person.setAttribute('aria-label', 'By whom');
    this.person.append(new Option('Everybody', ''));
    this.person.addEventListener('change', () => {
      this.wanted.by = this.person.value;
      this.refresh();
    });
    filters.append(this.person);
    head.append(search, filters);
    return head;
  }

  private toggle(label: string, change: (on: boolean) => void): HTMLButtonElement {
    const button = text('button', 'lg-chip', label) as HTMLButtonElement;
    button.type = 'button';
    button.setAttribute('aria-pressed', 'false');
    button.addEventListener('click', () => {
      const on = button.getAttribute('aria-pressed') !== 'true';
      button.setAttribute('aria-pressed', String(on));
      change(on);
      this.refresh();
    });
    return button;
  }

  private refresh(): void {
    this.isStale = true;
    if (this.isVisible && this.path !== null) {
      this.isStale = false;
      void this.load(null);
    }
  }

  private async more(): Promise<void> {
    if (this.next && !this.isOlderAsked) {
      this.isOlderAsked = true;
      await this.load(this.next);
      this.isOlderAsked = false;
    }
  }

  private async load(before: IPage['next']): Promise<void> {
    const number = ++this.asked;
    try {
      const found = await page(this.client, this.path!, this.wanted, before);
      // Of two answers on their way, the later question's counts
      if (number === this.asked) {
        this.take(found, before !== null);
      }
    } catch (error) {
      if (number === this.asked) {
        this.render(words(error).message);
      }
    }
  }

  private take(found: IPage, isMore: boolean): void {
    if (this.root !== found.root) {
      this.nodes.clear();
    }
    this.root = found.root;
    this.next = found.next;
    const nodes = found.lines.map(line => this.entry(line));
    if (isMore) {
      this.list.append(...nodes);
    } else {
      this.list.replaceChildren(...nodes);
    }
    const known = new Set([...this.person.options].map(option => option.value));
    for (const person of found.people) {
      if (!known.has(person)) {
        this.person.append(new Option(person, person));
      }
    }
    this.render('');
  }

  private render(failure: string | null): void {
    this.older.hidden = !this.next;
    if (failure) {
      this.list.replaceChildren();
      this.older.hidden = true;
      this.note.textContent = failure;
    } else if (this.path === null) {
      this.note.textContent = 'Open a notebook of a project to see what was done there.';
    } else {
      const isNarrowed = this.wanted.kinds.size || this.wanted.by || this.wanted.text || this.wanted.isImportant;
      this.note.textContent = this.list.childElementCount
        ? ''
        : isNarrowed
          ? 'Nothing of this kind was done.'
          : 'Nothing was done here yet. What you execute will stand here.';
    }
    this.note.hidden = !this.note.textContent;
  }

  /** What was unfolded stays so, whatever is asked for next. */
  private entry(line: ILine): HTMLLIElement {
    const known = this.nodes.get(line.id);
    if (known) {
      known.querySelector('.lg-entry-about')!.textContent = aboutOf(line);
      return known;
    }
    const path = this.path!;
    const node = entryNode(line, {
      show: () => this.client.get<IShown>(`activity/${line.id}`, { path }),
      picture: (_, file) => this.client.url(`activity/${line.id}/picture`, { path, file }),
      open: shown => this.open(shown),
      back: () => void this.back(line),
      branch: () => void this.branch(line)
    });
    this.nodes.set(line.id, node);
    return node;
  }

  private open(shown: IShown): void {
    const notebook = PathExt.join(this.root, shown.line.notebook!);
    void this.app.commands.execute('docmanager:open', {
      path: `${DRIVE}:${shown.commit}/${notebook}`,
      options: { mode: 'split-right' }
    });
  }

  private async back(line: ILine): Promise<void> {
    const path = this.path!;
    try {
      await saveAll(this.app);
      const foreseen = await this.client.post<IForeseen>(`activity/${line.id}/back`, { is_dry_run: true }, { path });
      const sure = await showDialog({
        title: 'Back to here?',
        body: this.naming(foreseen),
        buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Go Back' })]
      });
      if (!sure.button.accept) {
        return;
      }
      const done = await this.client.post<IRolledBack>(`activity/${line.id}/back`, {}, { path });
      await this.moved(done, `${done.branch} is back at that state`);
    } catch (error) {
      await showFailure('Nothing was changed', error);
    }
  }

  private async branch(line: ILine): Promise<void> {
    const path = this.path!;
    const asked = await InputDialog.getText({
      title: 'Branch from here',
      label: 'The new branch begins at this state and is checked out. What you have not committed is kept.',
      placeholder: 'name-of-the-branch',
      okLabel: 'Begin'
    });
    if (!asked.button.accept || !asked.value) {
      return;
    }
    try {
      await saveAll(this.app);
      const done = await this.client.post<IRolledBack>(`activity/${line.id}/branch`, { name: asked.value.trim() }, { path });
      await this.moved(done, `You are on the new branch ${done.branch}`);
    } catch (error) {
      await showFailure('No branch was begun', error);
    }
  }

  private naming(foreseen: IForeseen): Widget {
    const body = new Widget();
    body.addClass('lg-going-back');
    const files = foreseen.count === 1 ? '1 file becomes' : `${foreseen.count} files become`;
    body.node.append(text('p', '', foreseen.count ? `${files} as it was then:` : 'All files are as they were then.'));
    const list = document.createElement('ul');
    for (const path of foreseen.changed.slice(0, 12)) {
      list.append(text('li', '', path));
    }
    if (foreseen.count > 12) {
      list.append(text('li', '', `… and ${foreseen.count - 12} more`));
    }
    body.node.append(list);
    body.node.append(
      text(
        'p',
        '',
        'It is a new commit, so nothing of the history is lost.' +
          (foreseen.is_uncommitted ? ' What you have not committed is kept under a ref.' : '')
      )
    );
    return body;
  }

  private async moved(done: IRolledBack, said: string): Promise<void> {
    await follow(this.app);
    Notification.success(said + (done.bring_back ? `. What was not committed: ${done.bring_back}` : ''), {
      autoClose: done.bring_back ? false : 6000
    });
    this.refresh();
  }
}

export const activityPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:activity',
  description: 'Shows what was done in a project, and goes back to it.',
  autoStart: true,
  requires: [ILockgate],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    lockgate: ILockgate,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    notebooks: INotebookTracker | null
  ) => {
    const panel = new ActivityPanel(app, lockgate.client);
    app.shell.add(panel, 'left', { rank: 160 });
    restorer?.add(panel, panel.id);
    app.serviceManager.contents.addDrive(stateDrive(app.serviceManager.serverSettings));
    lockgate.news.came.connect((_, news) => panel.hear(news));
    const follow = (widget: Widget | null): void => {
      const path = widget instanceof DocumentWidget ? widget.context.path : null;
      panel.follow(path?.startsWith(`${DRIVE}:`) ? null : path);
    };
    shell?.currentChanged.connect((_, change) => follow(change.newValue));
    void app.restored.then(() => follow(app.shell.currentWidget));
    app.commands.addCommand('lockgate:show-activity', {
      label: 'Show Activity',
      caption: 'What was done in this project',
      icon: historyIcon,
      execute: () => app.shell.activateById(panel.id)
    });
    app.commands.addCommand('lockgate:capture', {
      label: 'Note What This Notebook Executes',
      isToggleable: true,
      isEnabled: () => Boolean(notebooks?.currentWidget),
      isToggled: () => notebooks?.currentWidget?.model?.getMetadata('lockgate')?.capture !== false,
      execute: async () => {
        const widget = notebooks?.currentWidget;
        if (!widget?.model) {
          return;
        }
        const { capture, ...rest } = widget.model.getMetadata('lockgate') ?? {};
        if (capture !== false) {
          widget.model.setMetadata('lockgate', { ...rest, capture: false });
        } else if (Object.keys(rest).length) {
          widget.model.setMetadata('lockgate', rest);
        } else {
          widget.model.deleteMetadata('lockgate');
        }
        // The server looks at the file
        await widget.context.save();
      }
    });
    palette?.addItem({ command: 'lockgate:show-activity', category: 'Lockgate' });
    palette?.addItem({ command: 'lockgate:capture', category: 'Lockgate' });
  }
};
