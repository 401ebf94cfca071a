// Icons in the manner of JupyterLab's: 16 units, coloured by the theme.

import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, body: string): LabIcon {
  return new LabIcon({
    name: `lockgate:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">${body}</svg>`
  });
}

/** A lock's gate with a boat's way through it: the two leaves of a mitre gate. */
export const lockgateIcon = icon(
  'lockgate',
  '<g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">' +
    '<path d="M2 2v9M14 2v9M2 4l6 3 6-3M2 9l6 3 6-3"/><path d="M2 14h12"/></g>'
);

/** A clock whose hand goes back. */
export const historyIcon = icon(
  'history',
  '<g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">' +
    '<path d="M2.6 6A5.8 5.8 0 1 1 2.2 8.6M2 2.6V6h3.4M8 4.8V8l2.4 1.6"/></g>'
);

/** Up to the hub and down from it. */
export const syncIcon = icon(
  'sync',
  '<g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">' +
    '<path d="M5 13V3M2 6l3-3 3 3"/><path d="M11 3v10M8 10l3 3 3-3"/></g>'
);
