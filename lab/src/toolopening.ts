// Asks before a command that came with a project is started for the first time, and opens the tool's page.

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { make } from './dom';
import { Client } from './request';
import type { ITool } from './tool';

export async function openTool(client: Client, baseUrl: string, path: string, project: string, tool: ITool): Promise<void> {
  if (!tool.is_confirmed) {
    const body = new Widget({
      node: make(
        'div',
        {},
        make('p', {}, 'This project brings a command along. It would run on this machine as you, with all that you may do:'),
        make('pre', { class: 'lg-command', tabindex: 0, 'aria-label': 'Command' }, ...unbroken(tool.command)),
        make('p', { class: 'lg-faint' }, `From lockgate.toml, line ${tool.line}, in ${project}. When it changes you are asked again.`)
      )
    });
    body.addClass('lg-dialog');
    const asked = await showDialog({
      title: `Start ${tool.title}?`,
      body,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Start' })],
      defaultButton: 0
    });
    if (!asked.button.accept) {
      return;
    }
    await client.post('api/tools', { path, name: tool.name, digest: tool.digest });
  }
  const address = baseUrl + tool.address;
  if (!window.open(address, '_blank')) {
    Notification.info(`The browser keeps ${tool.title} from opening a tab`, {
      autoClose: false,
      actions: [{ label: 'Open', callback: () => void window.open(address, '_blank') }]
    });
  }
}

/** Lines end between words, not at the hyphens in them. */
function unbroken(command: string): (Node | string)[] {
  return command.split(' ').flatMap((word, at) => [at > 0 ? ' ' : '', make('span', {}, word)]);
}
