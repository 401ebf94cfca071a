// The tools that a project offers, as the server tells of them.

/** Mirrors lockgate.jupyter.tools.gate.ShownTool. */
export interface ITool {
  name: string;
  title: string;
  command: string;
  digest: string;
  is_confirmed: boolean;
  line: number;
  address: string;
  icon: string;
}

/** Mirrors lockgate.jupyter.tools.gate.ShownTools. */
export interface ITools {
  tools: ITool[];
  project: string;
  why_none: string;
}
