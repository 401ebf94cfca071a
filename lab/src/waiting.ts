// What waits for a sync in the project of a document: asked after saves and syncs, and when the page is looked at again.

import { DocumentRegistry } from '@jupyterlab/docregistry';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { INews, News } from './news';
import { Client, LockgateError } from './request';

/** Mirrors lockgate.hub.sync.sync.Trouble. */
export interface ITrouble {
  message: string;
  hint: string;
  code: string;
}

/** Mirrors lockgate.hub.sync.standing.Waiting. */
interface IWaiting {
  changed: number;
  to_send: number;
  to_get: number;
  words: string;
}

/** The hub is asked no more often than this when somebody comes back to the page. */
const ASKED_MS = 60_000;
/** After a save the server is asked first for what a run would do, or to run. */
const LATER_MS = 2000;
const TELLING = new Set(['standing', 'placed', 'synced']);

export class Waiting implements IDisposable {
  state: 'unknown' | 'none' | 'even' | 'send' | 'get' | 'both' | 'away' | 'syncing' = 'unknown';
  label = 'Sync';
  words = 'Looking at the project…';
  isDisposed = false;
  private askedAt = 0;
  private later = 0;
  private isAsking = false;
  private isStale = false;
  private readonly signal = new Signal<this, void>(this);
  private readonly cameBack = () => void this.look(Date.now() - this.askedAt > ASKED_MS);

  constructor(
    private readonly client: Client,
    news: News,
    readonly context: DocumentRegistry.Context
  ) {
    news.came.connect(this.hear, this);
    context.saveState.connect(this.saved, this);
    context.pathChanged.connect(() => void this.look(false), this);
    window.addEventListener('focus', this.cameBack);
    void this.look(true);
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  dispose(): void {
    this.isDisposed = true;
    window.clearTimeout(this.later);
    window.removeEventListener('focus', this.cameBack);
    Signal.clearData(this);
  }

  begin(): void {
    this.show('syncing', 'Syncing', 'Saving, then talking with the hub…');
  }

  end(): void {
    this.state = 'unknown';
    void this.look(false);
  }

  private async look(isHubAsked: boolean): Promise<void> {
    if (this.isAsking) {
      this.isStale = true;
      return;
    }
    this.isAsking = true;
    try {
      const query = { path: this.context.path, ...(isHubAsked ? { hub: '1' } : {}) };
      if (isHubAsked) {
        this.askedAt = Date.now();
      }
      this.render(await this.client.get<IWaiting>('sync', query));
    } catch (error) {
      this.fail(error);
    }
    this.isAsking = false;
    if (this.isStale) {
      this.isStale = false;
      await this.look(false);
    }
  }

  private render(found: IWaiting): void {
    const send = found.changed + found.to_send;
    const get = found.to_get;
    const state = send && get ? 'both' : send ? 'send' : get ? 'get' : 'even';
    const label = ['Sync', send ? `↑${send}` : '', get ? `↓${get}` : ''].filter(Boolean).join(' ');
    this.show(state, label, found.words);
  }

  private fail(error: unknown): void {
    const told = error instanceof LockgateError ? `${error.message}. ${error.hint}` : String(error);
    const isNone = error instanceof LockgateError && error.code === 'not-a-repository';
    this.show(isNone ? 'none' : 'away', 'Sync', told);
  }

  private show(state: Waiting['state'], label: string, words: string): void {
    if (this.isDisposed || (this.state === 'syncing' && state !== 'syncing')) {
      return;
    }
    this.state = state;
    this.label = label;
    this.words = words;
    this.signal.emit();
  }

  private saved(_: unknown, state: DocumentRegistry.SaveState): void {
    if (state === 'completed' && this.state !== 'syncing') {
      window.clearTimeout(this.later);
      this.later = window.setTimeout(() => void this.look(false), LATER_MS);
    }
  }

  private hear(_: News, news: INews): void {
    if (TELLING.has(news.kind) && this.state !== 'syncing') {
      void this.look(false);
    }
  }
}
