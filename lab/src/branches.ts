// The branch of the project at hand, in the status bar: another one, a new one, or another merged into it.

import { ILabShell, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Widget } from '@lumino/widgets';
import { around, pathAtHand } from './documents';
import { make } from './dom';
import { showFailure } from './failure';
import { branchIcon } from './icons';
import { MERGE } from './mergebranch';
import { ILockgate } from './tokens';
import { ago } from './words';

export namespace BranchCommands {
  export const choose = 'lockgate:branches';
  export const begin = 'lockgate:new-branch';
}

interface IBranches {
  current: string | null;
  branches: { name: string; subject: string; at: number; remote: string | null }[];
}

class BranchList extends Widget implements Dialog.IBodyWidget<string> {
  private readonly select = make('select', { size: 12, 'aria-label': 'Branches', class: 'lg-branch-list' });

  constructor(private readonly found: IBranches) {
    super();
    this.addClass('lg-branches');
    const filter = make('input', { type: 'search', class: 'jp-mod-styled', placeholder: 'Find a branch', 'aria-label': 'Find a branch' });
    filter.addEventListener('input', () => this.fill(filter.value.toLowerCase()));
    this.fill('');
    this.node.append(filter, this.select);
  }

  getValue(): string {
    return this.select.value;
  }

  private fill(wanted: string): void {
    this.select.replaceChildren(
      ...this.found.branches
        .filter(branch => branch.name.toLowerCase().includes(wanted))
        .map(branch => {
          const place = branch.name === this.found.current ? 'checked out' : branch.remote ? `of ${branch.remote}` : ago(branch.at);
          return make('option', { value: branch.name, title: branch.subject }, `${branch.name} — ${place}`);
        })
    );
    this.select.selectedIndex = Math.max(0, [...this.select.options].findIndex(option => option.value !== this.found.current));
  }
}

export const branchesPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:branches',
  description: 'Shows and switches the branch of a project.',
  autoStart: true,
  requires: [ILockgate, IDocumentManager],
  optional: [ILabShell, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    { client, news }: ILockgate,
    documents: IDocumentManager,
    shell: ILabShell | null,
    bar: IStatusBar | null
  ) => {
    const { commands } = app;
    const name = make('span');
    const press = make('button', { type: 'button', class: 'lg-branch' });
    branchIcon.element({ container: press, height: '14px', width: '14px' });
    press.append(name);
    press.addEventListener('click', () => void commands.execute(BranchCommands.choose));
    const item = new Widget({ node: make('div', {}, press) });
    let current: IBranches | null = null;

    const path = (): string | null => pathAtHand(app, documents);

    async function look(): Promise<void> {
      const at = path();
      if (at === null) {
        return;
      }
      try {
        current = await client.get<IBranches>('branches', { path: at });
      } catch {
        current = null;
      }
      name.textContent = current ? current.current ?? 'no branch' : '';
      press.setAttribute('aria-label', `Branch ${name.textContent}: switch, begin or merge one`);
      press.title = 'Switch to another branch, begin or merge one';
      item.setHidden(current === null);
      item.update();
    }

    async function change(at: string, branch: string, isNew: boolean): Promise<void> {
      try {
        await around(app, () => client.post('branches', { name: branch, is_new: isNew }, { path: at }));
        Notification.info(isNew ? `Branch ${branch} begins here` : `On branch ${branch}`, { autoClose: 4000 });
      } catch (error) {
        await showFailure(isNew ? 'The branch was not begun' : 'The branch was not switched', error);
      }
      await look();
    }

    commands.addCommand(BranchCommands.choose, {
      label: 'Branches…',
      caption: 'Switch to another branch, begin or merge one',
      icon: branchIcon,
      isEnabled: () => path() !== null,
      execute: async () => {
        const at = path();
        if (at === null) {
          return;
        }
        try {
          current = await client.get<IBranches>('branches', { path: at });
        } catch (error) {
          await showFailure('The branches cannot be listed', error);
          return;
        }
        const buttons = [
          Dialog.cancelButton(),
          Dialog.createButton({ label: 'New…', actions: ['new'], className: 'lg-other' }),
          Dialog.createButton({ label: 'Merge…', actions: ['merge'], className: 'lg-other', caption: `Merge it into ${current.current ?? 'this'}` }),
          Dialog.okButton({ label: 'Switch' })
        ];
        const answer = await showDialog({ title: 'Branches', body: new BranchList(current), buttons, focusNodeSelector: 'select' });
        const chosen = answer.value;
        if (answer.button.actions.includes('new')) {
          await commands.execute(BranchCommands.begin);
        } else if (answer.button.accept && chosen && chosen !== current.current) {
          if (answer.button.actions.includes('merge')) {
            await commands.execute(MERGE, { branch: chosen });
            await look();
          } else {
            await change(at, chosen, false);
          }
        }
      }
    });
    commands.addCommand(BranchCommands.begin, {
      label: 'New Branch…',
      isEnabled: () => path() !== null,
      execute: async () => {
        const at = path();
        const answer = await InputDialog.getText({ title: 'New branch', label: 'Its name; it begins at what you see', okLabel: 'Begin' });
        if (at !== null && answer.button.accept && answer.value?.trim()) {
          await change(at, answer.value.trim(), true);
        }
      }
    });
    bar?.registerStatusItem('lockgate-branch', { item, align: 'left', rank: 4, isActive: () => current !== null, activeStateChanged: undefined });
    item.hide();
    shell?.currentChanged.connect(() => void look());
    void app.restored.then(look);
    news.came.connect((_, came) => {
      if (came.kind === 'standing' || came.kind === 'synced') {
        void look();
      }
    });
  }
};
