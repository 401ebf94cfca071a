// One entry of the feed: its line, and unfolded its code, output and what can be done with it.

import { words } from './failure';
import { ago, ILine, IShown } from './feed';

const NAMES: { [kind: string]: string } = {
  cell: 'Cell',
  figure: 'Figure',
  error: 'Error',
  run: 'Run',
  sync: 'Sync',
  other: 'Other'
};

/** What an entry asks of the panel. */
export interface IHandlers {
  show(line: ILine): Promise<IShown>;
  picture(line: ILine, file: string): string;
  open(shown: IShown): void;
  back(line: ILine): void;
  branch(line: ILine): void;
}

export function entryNode(line: ILine, handlers: IHandlers): HTMLLIElement {
  const node = document.createElement('li');
  node.className = 'lg-entry';
  node.dataset.kind = line.kind;
  node.dataset.id = line.id;
  node.dataset.outcome = line.outcome ?? '';
  const head = document.createElement('button');
  head.type = 'button';
  head.className = 'lg-entry-head';
  head.setAttribute('aria-expanded', 'false');
  const title = text('span', 'lg-entry-title', line.title);
  const about = text('span', 'lg-entry-about', aboutOf(line));
  about.title = line.device ? `${line.at}, on ${line.device}` : line.at;
  head.append(title, about);
  node.append(head);
  for (const file of line.pictures.slice(0, 2)) {
    const picture = document.createElement('img');
    picture.className = 'lg-entry-picture';
    picture.loading = 'lazy';
    picture.alt = `Figure of ${line.title}`;
    picture.src = handlers.picture(line, file);
    node.append(picture);
  }
  const body = document.createElement('div');
  body.className = 'lg-entry-body';
  body.hidden = true;
  node.append(body);
  head.addEventListener('click', () => {
    body.hidden = !body.hidden;
    head.setAttribute('aria-expanded', String(!body.hidden));
    if (!body.hidden && !body.childElementCount) {
      void unfold(body, line, handlers);
    }
  });
  return node;
}

export function aboutOf(line: ILine): string {
  return [NAMES[line.kind], line.by, ago(line.at)].join(' · ');
}

async function unfold(body: HTMLElement, line: ILine, handlers: IHandlers): Promise<void> {
  try {
    const shown = await handlers.show(line);
    if (shown.error) {
      body.append(text('p', 'lg-entry-error', shown.error));
    }
    if (shown.code) {
      body.append(block('Code', shown.code));
    }
    if (shown.is_hidden) {
      body.append(text('p', 'lg-entry-note', 'Its output is not kept: the cell says “lockgate: hide”.'));
    }
    if (shown.output) {
      body.append(block('Output', shown.output));
    }
    for (const [name, value] of shown.details) {
      body.append(text('p', 'lg-entry-note', `${name}: ${value}`));
    }
    for (const left of shown.left_out) {
      body.append(text('p', 'lg-entry-note', `Not kept: ${left}`));
    }
    if (line.has_state) {
      const actions = document.createElement('div');
      actions.className = 'lg-entry-actions';
      if (line.notebook) {
        actions.append(action('Open this state', () => handlers.open(shown)));
      }
      actions.append(action('Back to here…', () => handlers.back(line)));
      actions.append(action('Branch from here…', () => handlers.branch(line)));
      body.append(actions);
    }
  } catch (error) {
    body.replaceChildren(text('p', 'lg-entry-error', words(error).message));
  }
}

function block(name: string, content: string): HTMLElement {
  const figure = document.createElement('details');
  figure.className = 'lg-entry-block';
  figure.open = true;
  const summary = text('summary', '', name);
  const pre = text('pre', '', content);
  pre.tabIndex = 0;
  figure.append(summary, pre);
  return figure;
}

function action(label: string, go: () => void): HTMLButtonElement {
  const button = text('button', 'lg-button', label) as HTMLButtonElement;
  button.type = 'button';
  button.addEventListener('click', go);
  return button;
}

export function text(tag: string, name: string, content: string): HTMLElement {
  const node = document.createElement(tag);
  if (name) {
    node.className = name;
  }
  node.textContent = content;
  return node;
}
