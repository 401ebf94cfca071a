// Elements with their text put in as text, never as HTML.

export type Child = Node | string | null | undefined | false;

/** Make an element. `about`: `class`, attributes by name; null and false leave one out, true sets it bare. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  about: { [name: string]: string | number | boolean | null | undefined } = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.filter((child): child is Node | string => Boolean(child) || child === ''));
  return node;
}

export function button(label: string, press: () => unknown, about: { [name: string]: string | null } = {}): HTMLButtonElement {
  const node = make('button', { type: 'button', class: 'lg-button', ...about }, label);
  node.addEventListener('click', () => void press());
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

export function draw(tag: string, about: { [name: string]: string | number }, ...children: Child[]): SVGElement {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(about)) {
    node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child): child is Node | string => Boolean(child)));
  return node;
}
