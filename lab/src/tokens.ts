// What the plugins of Lockgate share.

import { Token } from '@lumino/coreutils';
import { News } from './news';
import { Client } from './request';

export interface ILockgate {
  client: Client;
  news: News;
}

export const ILockgate = new Token<ILockgate>('@lockgate/jupyterlab:ILockgate', 'The server extension of Lockgate, and its news.');
