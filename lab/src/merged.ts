// What a merge of a branch did, or would do.

import type { IConflict } from './conflicts';

/** Mirrors lockgate.hub.sync.merge_branch.BranchMerged. */
export interface IMerged {
  into: string;
  branch: string;
  commits: number;
  committed: string | null;
  changed: string[];
  data: string[];
  conflicts: IConflict[];
  notes: string[];
  mended: string;
  is_done: boolean;
}
