// A mistake told in words: the cause, what to do, and the code to look up.

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { LockgateError } from './request';

/** Tell at the page's edge; for what was not waited for. */
export function notifyFailure(error: unknown): void {
  const { message, hint } = words(error);
  Notification.error(hint ? `${message}. ${hint}` : message, { autoClose: false });
}

/** Tell in a dialog; for what was asked for just now. */
export async function showFailure(title: string, error: unknown): Promise<void> {
  const { message, hint, code } = words(error);
  const body = new Widget();
  body.addClass('lg-failure');
  for (const [name, text] of [['cause', message], ['hint', hint], ['code', code]]) {
    if (text) {
      const line = document.createElement('p');
      line.className = `lg-failure-${name}`;
      line.textContent = text;
      body.node.append(line);
    }
  }
  await showDialog({ title, body, buttons: [Dialog.okButton({ label: 'Close' })] });
}

export function words(error: unknown): { message: string; hint: string; code: string } {
  if (error instanceof LockgateError) {
    return { message: error.message, hint: error.hint, code: error.code };
  }
  return { message: String(error instanceof Error ? error.message : error), hint: '', code: '' };
}
