// A project as a page sees it. Mirrors lockgate.jupyter.project_standing.

export type State = 'no-project' | 'broken' | 'known' | 'would-run' | 'running';

export interface IStage {
  name: string;
  is_known: boolean;
  reason: string;
  notebook: string | null;
}

export interface IStanding {
  state: State;
  root: string;
  project: string;
  branch: string | null;
  path: string;
  words: string;
  hint: string;
  stages: IStage[];
  params: { [name: string]: string | number | boolean };
  running: string[];
}

export interface IReceipt {
  run: string;
  project: string;
  lines: string[];
}

/** Mirrors lockgate.hub.running.follow.Progress. */
export interface IProgress {
  kind: string;
  run: string;
  stage?: string;
  words?: string;
  settled?: number;
  total?: number;
  state?: string;
}

/** The last characters of a run's id: how people call it. */
export function short(run: string): string {
  return run.slice(-8);
}
