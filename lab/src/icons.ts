// Icons in the manner of JupyterLab's: 16 units, coloured by the theme.

import { LabIcon } from '@jupyterlab/ui-components';

/** Lines only: `fill` at the outside, since the theme fills whatever has the class and that attribute. */
function icon(name: string, body: string): LabIcon {
  return new LabIcon({
    name: `lockgate:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16" fill="none">${body}</svg>`
  });
}

/** A lock's gate with a boat's way through it: the two leaves of a mitre gate. */
export const lockgateIcon = icon(
  'lockgate',
  '<g class="jp-icon3" stroke="#616161" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">' +
    '<path d="M2 2v9M14 2v9M2 4l6 3 6-3M2 9l6 3 6-3"/><path d="M2 14h12"/></g>'
);

/** A clock whose hand goes back. */
export const historyIcon = icon(
  'history',
  '<g class="jp-icon3" stroke="#616161" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">' +
    '<path d="M2.6 6A5.8 5.8 0 1 1 2.2 8.6M2 2.6V6h3.4M8 4.8V8l2.4 1.6"/></g>'
);

/** Up to the hub and down from it. */
export const syncIcon = icon(
  'sync',
  '<g class="jp-icon3" stroke="#616161" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">' +
    '<path d="M5 13V3M2 6l3-3 3 3"/><path d="M11 3v10M8 10l3 3 3-3"/></g>'
);
const LINES =
  '<g class="jp-icon3" stroke="#616161" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round">';

/** Boats that wait before the gate: what is queued and runs. */
export const runsIcon = icon('runs', LINES + '<path d="M2 4h7M2 8h5M2 12h7"/><path d="M10.5 5.5l4 2.5-4 2.5z"/></g>');

export const branchIcon = icon(
  'branch',
  LINES + '<circle cx="4" cy="3.5" r="1.7"/><circle cx="4" cy="12.5" r="1.7"/><circle cx="12" cy="5.5" r="1.7"/><path d="M4 5.2v5.6M12 7.2c0 3-4.5 2.6-7.2 4"/></g>'
);

export const whyIcon = icon('why', LINES + '<circle cx="8" cy="8" r="6"/><path d="M6.2 6.3a1.9 1.9 0 1 1 2.6 2c-.6.3-.8.6-.8 1.2M8 11.5v.1"/></g>');

export const verifyIcon = icon('verify', LINES + '<path d="M8 1.7l5.3 2v4c0 3.3-2.2 5.6-5.3 6.6-3.100-1-5.3-3.3-5.3-6.6v-4z"/><path d="M5.7 7.9l1.7 1.7 3-3.3"/></g>');

/** Two ways that become one. */
export const mergeIcon = icon(
  'merge',
  LINES + '<circle cx="4" cy="3.5" r="1.7"/><circle cx="12" cy="3.5" r="1.7"/><circle cx="8" cy="12.5" r="1.7"/><path d="M4 5.2C4 8 8 7.6 8 10.8M12 5.2C12 8 8 7.6 8 10.8"/></g>'
);

/** A window with its bar: a program beside Lab. */
export const toolIcon = icon('tool', LINES + '<rect x="1.8" y="2.8" width="12.4" height="10.4" rx="1"/><path d="M2 6h12M4 4.4v.1M6 4.4v.1"/></g>');
