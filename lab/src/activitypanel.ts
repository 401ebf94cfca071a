// What the side panel Activity shows: what was done in the project at hand, and ways back to it.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { aboutOf, entryNode, text } from './activityentry';
import { foldNode } from './activityfold';
import { follow, saveAll } from './documents';
import { showFailure, words } from './failure';
import { ILine, IPage, IShown, IWanted, Kind, page } from './feed';
import { INews } from './news';
import { Client } from './request';
import { DRIVE } from './states';

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
  private readonly opened = new Set<string>();
  /** Tells when the end of the list comes into sight. */
  private readonly sight = new IntersectionObserver(seen => {
    if (seen.some(each => each.isIntersecting)) {
      void this.more();
    }
  });
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
    this.sight.observe(this.older);
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
    search.placeholder = 'Search titles, people…';
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
      this.opened.clear();
    }
    this.root = found.root;
    this.next = found.next;
    const nodes = this.folded(found.lines);
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
    // A short list may end in sight as it did before, of which nobody is told
    this.sight.unobserve(this.older);
    this.sight.observe(this.older);
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

  /** Entries with what follows them in a fold; a single one needs none. */
  private folded(lines: ILine[]): HTMLLIElement[] {
    const nodes: HTMLLIElement[] = [];
    for (let at = 0; at < lines.length; ) {
      let end = at + 1;
      while (end < lines.length && lines[end].follows) {
        end += 1;
      }
      const node = this.entry(lines[at]);
      node.querySelector(':scope > .lg-fold-whole')?.remove();
      nodes.push(node);
      const rest = lines.slice(at + 1, end);
      if (rest.length > 1) {
        node.append(foldNode(rest, line => this.bare(line), (line, file) => this.pictureOf(line, file), this.opened));
      } else {
        nodes.push(...rest.map(line => this.bare(line)));
      }
      at = end;
    }
    return nodes;
  }

  private bare(line: ILine): HTMLLIElement {
    const node = this.entry(line);
    node.querySelector(':scope > .lg-fold-whole')?.remove();
    return node;
  }

  private pictureOf(line: ILine, file: string): string {
    return this.client.url(`activity/${line.id}/picture`, { path: this.path!, file });
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
      picture: (_, file) => this.pictureOf(line, file),
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
