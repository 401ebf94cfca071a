// Open documents around something that changes files: saved before it, and shown anew after it.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
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

/** The server writes a shared document by itself, a second after the last edit. */
const SHARED_SAVE_MS = 4000;

/** Wait until the server has written a shared document; false: it does not do so by itself. */
function written(context: Context): Promise<boolean> {
  return new Promise(done => {
    const look = (): void => {
      if (!context.model.dirty) {
        end(true);
      }
    };
    const end = (is: boolean): void => {
      window.clearTimeout(late);
      context.model.stateChanged.disconnect(look);
      done(is);
    };
    const late = window.setTimeout(() => end(false), SHARED_SAVE_MS);
    context.model.stateChanged.connect(look);
    look();
  });
}

/** Save every document that is edited. */
export async function saveAll(app: JupyterFrontEnd): Promise<void> {
  for (const context of open(app)) {
    // A save beside the server's own would ask whether to write over it
    const isEdited = context.model.dirty && !context.model.readOnly;
    if (isEdited && !(context.model.collaborative && (await written(context)))) {
      await context.save();
    }
  }
}

/** Show what changed on disk in tabs that hold no edits; shared documents follow by themselves. */
export async function follow(app: JupyterFrontEnd): Promise<void> {
  for (const context of open(app)) {
    if (!context.isReady || context.model.dirty || context.model.collaborative || !context.contentsModel) {
      continue;
    }
    try {
      const now = await app.serviceManager.contents.get(context.path, { content: false });
      if (now.last_modified !== context.contentsModel.last_modified && !context.model.dirty) {
        await context.revert();
      }
    } catch {
      // The file is not there any more: its tab stays, as the last place its content is seen
    }
  }
}

/** Save, do it, show what came: in this order nothing unsaved is lost, and no tab shows what is old. */
export async function around<T>(app: JupyterFrontEnd, work: () => Promise<T>): Promise<T> {
  await saveAll(app);
  const done = await work();
  await follow(app);
  return done;
}

/** The file of the document at hand, as Jupyter calls it. */
export function pathAtHand(app: JupyterFrontEnd, documents: IDocumentManager): string | null {
  const widget = app.shell.currentWidget;
  return (widget && documents.contextForWidget(widget)?.path) ?? null;
}
