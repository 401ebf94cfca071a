// Runs as the server tells of them. Mirrors lockgate.jupyter.run_page and lockgate.jupyter.api.runs.

export interface IRunLine {
  id: string;
  state: string;
  where: string;
  member: string;
  created_at: number;
  seconds: number | null;
  cause: string | null;
}

export interface IListed {
  root: string;
  project: string;
  branch: string | null;
  runs: IRunLine[];
}

export interface IStageShown {
  name: string;
  state: string;
  note: string;
  seconds: number | null;
  layer: number;
  above: string[];
  notebook: string | null;
  executed: string | null;
}

export interface IFile {
  path: string;
  size_bytes: number;
}

export interface IRunShown {
  line: IRunLine;
  is_over: boolean;
  is_verification: boolean;
  params: { [name: string]: string };
  stages: IStageShown[];
  metrics: { name: string; value: string }[];
  figures: IFile[];
  tables: IFile[];
  others: IFile[];
  is_cut: boolean;
  verdicts: string[];
  page: string | null;
  problem: string;
}

export interface ITablePage {
  header: string[];
  rows: string[][];
  numeric: boolean[];
  total: number;
  start: number;
}

export type Stretch = [style: string, text: string];

export interface ILogPart {
  start: number;
  end: number;
  lines: Stretch[];
  rest: Stretch[];
  is_over: boolean;
  failure: string;
}
