// What a merge would do, before it is done.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { make } from './dom';
import type { IMerged } from './merged';
import { commits } from './words';

const LISTED = 200;

/** Ask whether to go on. */
export async function askMerge(told: IMerged): Promise<boolean> {
  const node = make('div', {});
  const line = (text: string, about = {}): void => node.append(make('p', about, text));
  line(`${commits(told.commits)} of ${told.branch} would come into ${told.into}.`, { class: 'lg-lead' });
  if (told.mended) {
    line(told.mended, { class: 'lg-warning' });
  }
  if (told.conflicts.length) {
    const files = told.conflicts.length === 1 ? '1 file was' : `${told.conflicts.length} files were`;
    line(`${files} changed by both: you are asked about each part next.`, { class: 'lg-warning' });
  }
  if (told.committed) {
    line(`What you edited is committed first: ${told.committed}`);
  }
  told.data.forEach(path => line(`Too large for git, so it becomes data: ${path}`));
  told.notes.forEach(note => line(`Note: ${note}.`));
  const inConflict = new Set(told.conflicts.map(each => each.path));
  const list = make('ul', { class: 'lg-merge-files', 'aria-label': 'Files that change', tabindex: 0 });
  for (const path of told.changed.slice(0, LISTED)) {
    list.append(make('li', {}, path, inConflict.has(path) && make('span', { class: 'lg-state', 'data-state': 'blocked' }, 'to decide')));
  }
  if (told.changed.length > LISTED) {
    list.append(make('li', { class: 'lg-faint' }, `${told.changed.length - LISTED} more`));
  }
  const head = told.changed.length === 1 ? '1 file changes' : `${told.changed.length} files change`;
  node.append(make('h3', {}, head), told.changed.length ? list : '');
  line('Files, branch and what is staged can be put back by one press afterwards.', { class: 'lg-faint' });
  const body = new Widget({ node });
  body.addClass('lg-dialog');
  const done = await showDialog({
    title: `Merge ${told.branch} into ${told.into}?`,
    body,
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: told.conflicts.length ? 'Decide…' : 'Merge' })]
  });
  return done.button.accept;
}
