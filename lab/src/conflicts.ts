// What both sides changed: each file, and each cell of a notebook, side by side, with a choice.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

interface ISide {
  size_bytes: number;
  text: string | null;
}

/** Mirrors lockgate.hub.sync.conflict.Conflict. */
export interface IConflict {
  path: string;
  key: string;
  kind: 'text' | 'notebook' | 'binary' | 'deleted-by-me' | 'deleted-by-them';
  mine: ISide | null;
  theirs: ISide | null;
  cells: { key: string; label: string; mine: string | null; theirs: string | null }[];
  merged: string | null;
}

type Take = 'mine' | 'theirs' | 'edit';

/** Mirrors lockgate.hub.sync.conflict.Choice. */
export interface IChoice {
  key: string;
  take: Take | 'cells';
  text?: string;
  cells?: { [key: string]: { take: Take; text: string } };
}

export type Choices = { [path: string]: IChoice };

/** Whose each side is, in words, and what the button says. */
export interface ISides {
  mine: string;
  theirs: string;
  go: string;
}

function said(kind: IConflict['kind'], { mine, theirs }: ISides): string {
  const both = `Changed by ${mine} and by ${theirs}`;
  return {
    text: `${both}, in the same lines.`,
    notebook: `${both}, in the same cells.`,
    binary: `${both}; it is no text.`,
    'deleted-by-me': `Removed by ${mine}, changed by ${theirs}.`,
    'deleted-by-them': `Changed by ${mine}, removed by ${theirs}.`
  }[kind];
}

const TAKES: [Take, string][] = [
  ['mine', 'Keep mine'],
  ['theirs', 'Take theirs'],
  ['edit', 'Edit']
];

let count = 0;

/** One question: both sides, and which of them, or a text of one's own. */
class Question {
  readonly node = document.createElement('fieldset');
  take: Take | null = null;
  private readonly editor = document.createElement('textarea');
  private readonly radios = new Map<Take, HTMLInputElement>();

  constructor(
    label: string,
    mine: string | null,
    theirs: string | null,
    start: string | null,
    private readonly changed: () => void
  ) {
    this.node.className = 'lg-conflict-question';
    const legend = document.createElement('legend');
    legend.textContent = label;
    const sides = document.createElement('div');
    sides.className = 'lg-conflict-sides';
    sides.append(side('Mine', mine, theirs), side('Theirs', theirs, mine));
    const takes = document.createElement('div');
    takes.className = 'lg-conflict-takes';
    const name = `lg-conflict-${count++}`;
    for (const [take, words] of TAKES) {
      if (take === 'edit' && start === null) {
        continue;
      }
      const radio = document.createElement('input');
      radio.type = 'radio';
      radio.name = name;
      radio.addEventListener('change', () => this.choose(take));
      this.radios.set(take, radio);
      const line = document.createElement('label');
      line.append(radio, words);
      takes.append(line);
    }
    this.editor.value = start ?? '';
    this.editor.hidden = true;
    this.editor.spellcheck = false;
    this.editor.rows = Math.min(14, Math.max(3, this.editor.value.split('\n').length + 1));
    this.editor.setAttribute('aria-label', `Text of ${label}`);
    this.node.append(legend, sides, takes, this.editor);
  }

  get text(): string {
    return this.editor.value;
  }

  choose(take: Take): void {
    const radio = this.radios.get(take);
    if (!radio) {
      return;
    }
    radio.checked = true;
    this.take = take;
    this.editor.hidden = take !== 'edit';
    this.node.dataset.take = take;
    this.changed();
  }

  focus(): void {
    this.radios.get('mine')?.focus();
  }
}

/** All questions of one sync or merge. */
class Questions extends Widget implements Dialog.IBodyWidget<Choices> {
  private readonly asked: { conflict: IConflict; cell: string | null; question: Question }[] = [];
  private readonly left = document.createElement('p');

  constructor(
    conflicts: IConflict[],
    private readonly sides: ISides
  ) {
    super();
    this.addClass('lg-conflicts');
    const head = document.createElement('div');
    head.className = 'lg-conflicts-head';
    this.left.setAttribute('aria-live', 'polite');
    const all = document.createElement('div');
    for (const [take, words] of [['mine', 'All mine'], ['theirs', 'All theirs']] as [Take, string][]) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'jp-mod-styled jp-mod-minimal';
      button.textContent = words;
      button.addEventListener('click', () => this.asked.forEach(each => each.question.choose(take)));
      all.append(button);
    }
    head.append(this.left, all);
    this.node.append(head, ...conflicts.map(conflict => this.section(conflict)));
    this.tally();
  }

  getValue(): Choices {
    const found: Choices = {};
    for (const { conflict, cell, question } of this.asked) {
      const take = question.take ?? 'mine';
      const text = take === 'edit' ? question.text : '';
      if (cell === null) {
        found[conflict.path] = { key: conflict.key, take, text };
      } else {
        const choice = (found[conflict.path] ??= { key: conflict.key, take: 'cells', cells: {} });
        choice.cells![cell] = { take, text };
      }
    }
    return found;
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.tally();
    // The dialog focuses its button first, which is of no use before anything is decided
    requestAnimationFrame(() => this.asked[0]?.question.focus());
  }

  private section(conflict: IConflict): HTMLElement {
    const section = document.createElement('section');
    const title = document.createElement('h3');
    title.textContent = conflict.path;
    const words = document.createElement('p');
    words.textContent = said(conflict.kind, this.sides);
    section.append(title, words);
    if (conflict.cells.length) {
      for (const cell of conflict.cells) {
        const start = cell.mine ?? cell.theirs;
        this.add(section, conflict, cell.key, new Question(cell.label, cell.mine, cell.theirs, start, () => this.tally()));
      }
    } else {
      const text = (of: ISide | null) => (of ? of.text ?? `(no text, ${of.size_bytes} bytes)` : null);
      const start = conflict.kind === 'text' ? conflict.mine?.text ?? '' : null;
      const name = conflict.path.split('/').pop()!;
      this.add(section, conflict, null, new Question(name, text(conflict.mine), text(conflict.theirs), start, () => this.tally()));
    }
    return section;
  }

  private add(section: HTMLElement, conflict: IConflict, cell: string | null, question: Question): void {
    this.asked.push({ conflict, cell, question });
    section.append(question.node);
  }

  private tally(): void {
    const open = this.asked.filter(each => each.question.take === null).length;
    this.left.textContent = open ? `${open} to decide. Nothing is changed before.` : 'All is decided.';
    const button = this.node.closest('.jp-Dialog')?.querySelector<HTMLButtonElement>('.jp-Dialog-footer .jp-mod-accept');
    if (button) {
      button.disabled = open > 0;
    }
  }
}

function side(name: string, text: string | null, other: string | null): HTMLElement {
  const box = document.createElement('div');
  const title = document.createElement('h4');
  title.textContent = name;
  const code = document.createElement('pre');
  code.tabIndex = 0;
  code.setAttribute('aria-label', name);
  if (text === null) {
    code.className = 'lg-conflict-none';
    code.textContent = 'removed';
  } else {
    const there = new Set((other ?? '').split('\n'));
    for (const line of text.split('\n')) {
      const row = document.createElement('span');
      row.textContent = `${line}\n`;
      if (!there.has(line)) {
        row.className = 'lg-conflict-only';
      }
      code.append(row);
    }
  }
  box.append(title, code);
  return box;
}

/** Ask about all of them; null where nothing is to be done. */
export async function askChoices(conflicts: IConflict[], sides: ISides): Promise<Choices | null> {
  const done = await showDialog<Choices>({
    title: conflicts.length === 1 ? 'One file was changed by both' : `${conflicts.length} files were changed by both`,
    body: new Questions(conflicts, sides),
    buttons: [Dialog.cancelButton({ label: 'Not now' }), Dialog.okButton({ label: sides.go })]
  });
  return done.button.accept ? done.value : null;
}
