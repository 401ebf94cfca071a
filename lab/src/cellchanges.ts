// In what an executed notebook differs from the one in the project, cell by cell.

import { make } from './dom';

interface IBeside {
  copy: string;
  lines: { kind: string; text: string }[];
  added: number;
  removed: number;
  is_cut: boolean;
}

export function showCellChanges(found: IBeside): HTMLElement {
  const whole = make('div', { class: 'lg-changes', tabindex: 0, role: 'region', 'aria-label': 'Changes by cells' });
  whole.append(
    make('p', { class: 'lg-faint' }, `Mine → executed: ${found.added} ${found.added === 1 ? 'line' : 'lines'} added, ${found.removed} removed. The executed copy is ${found.copy}.`)
  );
  for (const line of found.lines) {
    const kind = line.kind || 'same';
    whole.append(kind === 'hunk' ? make('h3', {}, line.text) : make('div', { class: `lg-line lg-line-${kind}` }, line.text || ' '));
  }
  if (found.is_cut) {
    whole.append(make('p', { class: 'lg-note' }, 'There are more changes than are shown here.'));
  }
  return whole;
}
