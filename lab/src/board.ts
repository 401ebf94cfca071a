// How the project of a document stands, kept fresh: after each save, and when the server tells of a change.

import { DocumentRegistry } from '@jupyterlab/docregistry';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { Asking } from './asking';
import { INews, News } from './news';
import { IProgress, IStanding } from './project';
import { Client } from './request';

/** What changes how a project stands. */
const TELLING = new Set(['standing', 'placed', 'lost', 'synced']);

export class Board implements IDisposable {
  standing: IStanding | null = null;
  failure: unknown = null;
  progress: IProgress | null = null;
  /** A save is newer than what is known of the project. */
  isBehind = false;
  isDisposed = false;
  private isSaving = false;
  private isHeld = false;
  private readonly asking = new Asking(() => this.fetch());
  private readonly signal = new Signal<this, void>(this);

  constructor(
    private readonly client: Client,
    news: News,
    readonly context: DocumentRegistry.Context
  ) {
    news.came.connect(this.hear, this);
    context.saveState.connect(this.saved, this);
    context.pathChanged.connect(this.look, this);
    context.model.stateChanged.connect(this.show, this);
    void this.look();
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  /** Whether the page shows what is not saved yet. */
  get isDirty(): boolean {
    return this.context.model.dirty;
  }

  dispose(): void {
    this.isDisposed = true;
    this.asking.stop();
    Signal.clearData(this);
  }

  /** Ask anew; a question under way is followed by one more, not by many. */
  look(): Promise<void> {
    return this.asking.ask();
  }

  /** Do something that saves, and what is asked for right after it: the server has that to do first. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.isHeld = true;
    try {
      return await work();
    } finally {
      this.isHeld = false;
      void this.look();
    }
  }

  private async fetch(): Promise<void> {
    try {
      this.standing = await this.client.get<IStanding>('standing', { path: this.context.path });
      this.failure = null;
      if (this.standing.state !== 'running') {
        this.progress = null;
      }
    } catch (error) {
      this.failure = error;
    }
    this.isBehind = this.isSaving;
    this.show();
  }

  private show(): void {
    this.signal.emit();
  }

  private saved(_: unknown, state: DocumentRegistry.SaveState): void {
    this.isSaving = state === 'started';
    if (this.isSaving) {
      this.isBehind = true;
    } else if (!this.isHeld) {
      void this.look();
    }
  }

  private hear(_: News, news: INews): void {
    if (!this.standing || news.root !== this.standing.root) {
      return;
    }
    if (news.kind === 'run') {
      const came = news.data as IProgress;
      this.progress = came.kind === 'ended' ? null : came;
      this.show();
    } else if (TELLING.has(news.kind)) {
      void this.look();
    }
  }
}
