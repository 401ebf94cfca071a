// The feed as the server tells it. Mirrors lockgate.hub.worktree.remembering.

import { Client, Query } from './request';

export type Kind = 'cell' | 'figure' | 'error' | 'run' | 'sync' | 'other';

export interface ILine {
  id: string;
  at: string;
  by: string;
  device: string | null;
  kind: Kind;
  title: string;
  outcome: string | null;
  run: string | null;
  notebook: string | null;
  cell: string | null;
  has_state: boolean;
  is_important: boolean;
  pictures: string[];
  /** Of one sitting with the line above. */
  follows: boolean;
}

export interface IPage {
  root: string;
  lines: ILine[];
  next: { [ref: string]: string } | null;
  people: string[];
}

export interface IShown {
  line: ILine;
  code: string | null;
  output: string | null;
  error: string | null;
  left_out: string[];
  is_hidden: boolean;
  details: [string, string][];
  commit: string | null;
}

/** What is asked for; nothing said: all. */
export interface IWanted {
  kinds: Set<Kind>;
  by: string;
  text: string;
  isImportant: boolean;
}

export function page(client: Client, path: string, wanted: IWanted, before: IPage['next']): Promise<IPage> {
  const query: Query = { path };
  if (wanted.kinds.size) {
    query.kinds = [...wanted.kinds].join(',');
  }
  if (wanted.by) {
    query.by = wanted.by;
  }
  if (wanted.text) {
    query.text = wanted.text;
  }
  if (wanted.isImportant) {
    query.is_important = 'true';
  }
  if (before) {
    query.before = JSON.stringify(before);
  }
  return client.get<IPage>('activity', query);
}

/** How long ago, as people say it. */
export function ago(at: string, now = Date.now()): string {
  const seconds = (now - Date.parse(at)) / 1000;
  if (seconds < 60) {
    return 'just now';
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ago`;
  }
  if (seconds < 86400) {
    return `${Math.floor(seconds / 3600)} h ago`;
  }
  return new Date(at).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
}
