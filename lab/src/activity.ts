// The side panel Activity: in its place from the start, filled when it is first looked at.

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';
import type { ActivityPanel } from './activitypanel';
import { historyIcon } from './icons';
import { INews } from './news';
import { DRIVE, stateDrive } from './states';
import { ILockgate } from './tokens';

/** Holds the panel's place; what it shows is loaded once somebody looks. */
class ActivityArea extends Panel {
  private panel: ActivityPanel | null = null;
  private isAsked = false;
  private path: string | null = null;

  constructor(private readonly load: () => Promise<ActivityPanel>) {
    super();
    this.id = 'lockgate-activity';
    this.title.icon = historyIcon;
    this.title.caption = 'Activity: what was done in this project';
  }

  /** Show the project of a file; null: no document is open. */
  follow(path: string | null): void {
    this.path = path ?? this.path;
    this.panel?.follow(path);
  }

  hear(news: INews): void {
    this.panel?.hear(news);
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    if (!this.isAsked) {
      this.isAsked = true;
      void this.fill();
    }
  }

  private async fill(): Promise<void> {
    try {
      this.panel = await this.load();
    } catch {
      // The server is away: the next look tries again
      this.isAsked = false;
      return;
    }
    this.addWidget(this.panel);
    this.panel.follow(this.path);
    void this.panel.ask();
  }
}

export const activityPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:activity',
  description: 'Shows what was done in a project, and goes back to it.',
  autoStart: true,
  requires: [ILockgate],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    lockgate: ILockgate,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    notebooks: INotebookTracker | null
  ) => {
    const panel = new ActivityArea(async () => {
      const { ActivityPanel } = await import('./activitypanel');
      return new ActivityPanel(app, lockgate.client);
    });
    app.shell.add(panel, 'left', { rank: 160 });
    restorer?.add(panel, panel.id);
    app.serviceManager.contents.addDrive(stateDrive(app.serviceManager.serverSettings));
    lockgate.news.came.connect((_, news) => panel.hear(news));
    const follow = (widget: Widget | null): void => {
      const path = widget instanceof DocumentWidget ? widget.context.path : null;
      panel.follow(path?.startsWith(`${DRIVE}:`) ? null : path);
    };
    shell?.currentChanged.connect((_, change) => follow(change.newValue));
    void app.restored.then(() => follow(app.shell.currentWidget));
    app.commands.addCommand('lockgate:show-activity', {
      label: 'Show Activity',
      caption: 'What was done in this project',
      icon: historyIcon,
      execute: () => app.shell.activateById(panel.id)
    });
    app.commands.addCommand('lockgate:capture', {
      label: 'Note What This Notebook Executes',
      isToggleable: true,
      isEnabled: () => Boolean(notebooks?.currentWidget),
      isToggled: () => notebooks?.currentWidget?.model?.getMetadata('lockgate')?.capture !== false,
      execute: async () => {
        const widget = notebooks?.currentWidget;
        if (!widget?.model) {
          return;
        }
        const { capture, ...rest } = widget.model.getMetadata('lockgate') ?? {};
        if (capture !== false) {
          widget.model.setMetadata('lockgate', { ...rest, capture: false });
        } else if (Object.keys(rest).length) {
          widget.model.setMetadata('lockgate', rest);
        } else {
          widget.model.deleteMetadata('lockgate');
        }
        // The server looks at the file
        await widget.context.save();
      }
    });
    palette?.addItem({ command: 'lockgate:show-activity', category: 'Lockgate' });
    palette?.addItem({ command: 'lockgate:capture', category: 'Lockgate' });
  }
};
