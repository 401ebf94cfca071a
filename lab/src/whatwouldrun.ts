// What a run would do, and why; nothing is started.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { showFailure } from './failure';
import { IStanding } from './project';
import { Client } from './request';

export async function showForecast(client: Client, path: string): Promise<void> {
  let standing: IStanding;
  try {
    standing = await client.get<IStanding>('standing', { path });
  } catch (error) {
    await showFailure('That is not known', error);
    return;
  }
  const body = new Widget();
  body.addClass('lg-forecast');
  const words = document.createElement('p');
  words.textContent = standing.words;
  const table = document.createElement('table');
  const head = table.createTHead().insertRow();
  for (const name of ['Stage', 'Run', 'Why']) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = name;
    head.append(cell);
  }
  const rows = table.createTBody();
  for (const stage of standing.stages) {
    const row = rows.insertRow();
    row.className = stage.is_known ? 'lg-known' : 'lg-would-run';
    for (const text of [stage.name, stage.is_known ? 'no' : 'yes', stage.reason]) {
      row.insertCell().textContent = text;
    }
  }
  body.node.append(words, table);
  await showDialog({ title: 'What would run, and why', body, buttons: [Dialog.okButton({ label: 'Close' })] });
}
