// Cells executed in one sitting: the newest stands there, those before it fold beneath.

import { text } from './activityentry';
import { ILine } from './feed';

/** So many pictures of what is folded are shown. */
const PICTURES = 3;

/** A fold of entries, opened or not as it was before; `key` names it as long as it grows. */
export function foldNode(
  lines: ILine[],
  node: (line: ILine) => HTMLLIElement,
  picture: (line: ILine, file: string) => string,
  opened: Set<string>
): HTMLElement {
  const key = lines[lines.length - 1].id;
  const fold = document.createElement('details');
  fold.className = 'lg-fold';
  fold.open = opened.has(key);
  const failed = lines.filter(line => line.kind === 'error').length;
  const summary = text('summary', '', `${lines.length} cells before${failed ? `, ${failed} failed` : ''}`);
  const list = document.createElement('ol');
  list.className = 'lg-activity-list';
  list.setAttribute('role', 'list');
  list.setAttribute('aria-label', 'Cells before');
  const fill = (): void => {
    if (fold.open && !list.childElementCount) {
      list.append(...lines.map(node));
    }
  };
  const shown = lines.flatMap(line => line.pictures.map(file => ({ line, file }))).slice(0, PICTURES);
  const thumbs = document.createElement('div');
  thumbs.className = 'lg-fold-thumbs';
  for (const { line, file } of shown) {
    const image = document.createElement('img');
    image.loading = 'lazy';
    image.alt = `Figure of ${line.title}`;
    image.src = picture(line, file);
    thumbs.append(image);
  }
  fold.append(summary, list);
  fold.addEventListener('toggle', () => {
    if (fold.open) {
      opened.add(key);
    } else {
      opened.delete(key);
    }
    fill();
  });
  fill();
  const whole = document.createElement('div');
  whole.className = 'lg-fold-whole';
  if (shown.length) {
    whole.append(thumbs);
  }
  whole.append(fold);
  return whole;
}
