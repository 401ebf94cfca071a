// Open documents around something that changes files: saved before it, and shown anew after it.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';

type Context = DocumentRegistry.Context;

function open(app: JupyterFrontEnd): Context[] {
  const found = new Set<Context>();
  for (const widget of app.shell.widgets('main')) {
    if (widget instanceof DocumentWidget && !widget.context.path.includes(':')) {
      found.add(widget.context);
    }
  }
  return [...found];
}

/** Save every document that is edited. */
export async function saveAll(app: JupyterFrontEnd): Promise<void> {
  for (const context of open(app)) {
    if (context.model.dirty) {
      await context.save();
    }
  }
}

/** Show what changed on disk in tabs that hold no edits; shared documents follow by themselves. */
export async function revertAll(app: JupyterFrontEnd): Promise<void> {
  for (const context of open(app)) {
    if (context.isReady && !context.model.dirty && !context.model.collaborative) {
      try {
        await context.revert();
      } catch {
        // The file is not there in that state: the tab stays as it is
      }
    }
  }
}
