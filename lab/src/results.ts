// What a run made: figures as thumbnails, tables by their first rows, metrics, and the rest by name.

import { make, button } from './dom';
import { words } from './failure';
import { Client } from './request';
import { IFile, IRunShown, ITablePage } from './runshown';
import { size } from './words';

const FIGURES_AT_ONCE = 24;
const NAMES_AT_ONCE = 100;
const ROWS_AT_ONCE = 20;

export interface IOpener {
  picture(run: string, file: string): void;
}

export function showResults(client: Client, path: string, shown: IRunShown, opener: IOpener): HTMLElement {
  const whole = make('div', { class: 'lg-results' });
  const run = shown.line.id;
  if (shown.figures.length > 0) {
    const grid = make('div', { class: 'lg-figures' });
    inPortions(grid, shown.figures, FIGURES_AT_ONCE, file => {
      const picture = make('img', { src: client.url(`runs/${run}/file`, { path, file: file.path }), alt: file.path, loading: 'lazy' });
      const open = make('button', { type: 'button', class: 'lg-figure', title: file.path }, picture, make('span', {}, last(file.path)));
      open.addEventListener('click', () => opener.picture(run, file.path));
      return open;
    });
    whole.append(section('Figures', grid));
  }
  if (shown.metrics.length > 0) {
    const table = make('table', { class: 'lg-table' });
    for (const metric of shown.metrics) {
      const row = table.insertRow();
      row.append(make('th', { scope: 'row', title: metric.name }, afterColon(metric.name)), make('td', { class: 'lg-number' }, metric.value));
    }
    whole.append(section('Metrics', table));
  }
  if (shown.tables.length > 0) {
    const list = make('div');
    inPortions(list, shown.tables, NAMES_AT_ONCE, file => foldedTable(client, path, run, file));
    whole.append(section('Tables', list));
  }
  if (shown.others.length > 0) {
    const list = make('ul', { class: 'lg-files' });
    inPortions(list, shown.others, NAMES_AT_ONCE, file =>
      make('li', {}, make('span', { class: 'lg-file-name', title: file.path }, file.path), make('span', { class: 'lg-faint' }, size(file.size_bytes)))
    );
    whole.append(section('Files', list));
  }
  if (shown.is_cut) {
    whole.append(make('p', { class: 'lg-note' }, 'It made more files than are listed here.'));
  }
  if (shown.problem) {
    whole.append(make('p', { class: 'lg-note' }, `Its results cannot be listed: ${shown.problem}`));
  }
  return whole;
}

function section(title: string, body: HTMLElement): HTMLElement {
  return make('section', {}, make('h3', {}, title), body);
}

/** Long lists come a portion at a time. */
function inPortions<T>(into: HTMLElement, all: T[], count: number, show: (each: T) => HTMLElement, start = 0): void {
  into.append(...all.slice(start, start + count).map(show));
  const left = all.length - start - count;
  if (left > 0) {
    const more = button(`${left} more`, () => {
      more.remove();
      inPortions(into, all, count, show, start + count);
    });
    into.append(more);
  }
}

function foldedTable(client: Client, path: string, run: string, file: IFile): HTMLElement {
  const body = make('div', { class: 'lg-table-scroll', tabindex: 0, role: 'region', 'aria-label': file.path });
  const fold = make('details', { class: 'lg-fold' }, make('summary', { title: file.path }, file.path, make('span', { class: 'lg-faint' }, size(file.size_bytes))), body);
  fold.addEventListener('toggle', () => {
    if (fold.open && body.childElementCount === 0) {
      void addRows(client, path, run, file.path, body, 0);
    }
  });
  return fold;
}

async function addRows(client: Client, path: string, run: string, file: string, body: HTMLElement, start: number): Promise<void> {
  let page: ITablePage;
  try {
    page = await client.get<ITablePage>(`runs/${run}/table`, { path, file, start: String(start), count: String(ROWS_AT_ONCE) });
  } catch (error) {
    body.replaceChildren(make('p', { class: 'lg-note' }, words(error).message));
    return;
  }
  let table = body.querySelector('table');
  if (!table) {
    table = make('table', { class: 'lg-table' });
    const head = table.createTHead().insertRow();
    head.append(...page.header.map((name, at) => make('th', { scope: 'col', class: page.numeric[at] ? 'lg-number' : null }, name)));
    table.createTBody();
    body.append(table);
  }
  for (const values of page.rows) {
    table.tBodies[0].insertRow().append(...values.map((value, at) => make('td', { class: page.numeric[at] ? 'lg-number' : null }, value)));
  }
  const shown = start + page.rows.length;
  if (shown < page.total) {
    const more = button(`${shown} of ${page.total} rows: show more`, () => {
      more.remove();
      return addRows(client, path, run, file, body, shown);
    });
    body.append(more);
  }
}

function last(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function afterColon(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
