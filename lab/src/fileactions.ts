// Right-click on a file: why is it as it is, does it come out again, and what happened to it.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { Widget } from '@lumino/widgets';
import { make } from './dom';
import { showFailure, words } from './failure';
import { historyIcon, verifyIcon, whyIcon } from './icons';
import { INews } from './news';
import { short } from './project';
import { ILockgate } from './tokens';
import { ago } from './words';

export namespace FileCommands {
  export const why = 'lockgate:why';
  export const verify = 'lockgate:verify';
  export const history = 'lockgate:history';
}

interface IStep {
  path: string;
  depth: number;
  identity: string;
  stage: string | null;
  run: string | null;
}

interface IWhy {
  path: string;
  words: string;
  run: string | null;
  stage: string | null;
  facts: [string, string][];
  steps: IStep[];
  warning: string;
}

interface IHappening {
  kind: 'commit' | 'activity';
  id: string;
  at: string;
  by: string;
  title: string;
  run: string | null;
}

interface IVerdict {
  run: string;
  by_run: string;
  is_proved: boolean;
  words: string;
  proofs: { path: string; verdict: string; words: string; is_picture: boolean }[];
  causes: string[];
  failure: string;
  hint: string;
}

const PICTURES_AT_MOST = 6;

export const fileActionsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:file-actions',
  description: 'Why, Verify and History of a file.',
  autoStart: true,
  requires: [ILockgate, IDocumentManager],
  optional: [IFileBrowserFactory, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    { client, news }: ILockgate,
    documents: IDocumentManager,
    factory: IFileBrowserFactory | null,
    usual: IDefaultFileBrowser | null
  ) => {
    const { commands } = app;
    /** Run that is verified → the notification of it, and where it was asked from. */
    const under = new Map<string, { id: string; path: string }>();

    /** The file clicked on: of a tab, of the browser, else the document at hand. */
    function chosen(args: { [name: string]: unknown }): string | null {
      if (typeof args.path === 'string') {
        return args.path;
      }
      const tab = app.contextMenuHitTest(node => node.classList.contains('lm-TabBar-tab'));
      if (tab) {
        for (const widget of app.shell.widgets('main')) {
          if (widget.id === tab.dataset.id || widget.title.owner.id === tab.dataset.id) {
            return documents.contextForWidget(widget)?.path ?? null;
          }
        }
      }
      const isInBrowser = app.contextMenuHitTest(node => node.classList.contains('jp-DirListing-item'));
      const browser = factory?.tracker.currentWidget ?? usual;
      if (isInBrowser && browser) {
        return browser.selectedItems().next().value?.path ?? null;
      }
      const current = app.shell.currentWidget;
      return (current && documents.contextForWidget(current)?.path) ?? null;
    }

    function bodyOf(node: HTMLElement): Widget {
      const body = new Widget({ node });
      body.addClass('lg-dialog');
      // It may be longer than its place: keys scroll it
      body.node.tabIndex = 0;
      return body;
    }

    async function show(title: string, node: HTMLElement): Promise<void> {
      await showDialog({ title, body: bodyOf(node), buttons: [Dialog.okButton({ label: 'Close' })] });
    }

    commands.addCommand(FileCommands.why, {
      label: 'Why?',
      caption: 'Which run, code and data made this file',
      icon: whyIcon,
      execute: async args => {
        const path = chosen(args);
        if (!path) {
          return;
        }
        try {
          await showWhy(path, await client.get<IWhy>('why', { path }));
        } catch (error) {
          await showFailure(`Why ${path}?`, error);
        }
      }
    });

    async function showWhy(path: string, why: IWhy): Promise<void> {
      const facts = make('dl', { class: 'lg-facts' });
      for (const [name, value] of why.facts) {
        facts.append(make('dt', {}, name), make('dd', {}, value));
      }
      const node = make('div', {}, make('p', { class: 'lg-lead' }, why.words), why.warning ? make('p', { class: 'lg-warning' }, why.warning) : null, facts);
      if (why.steps.length > 0) {
        const tree = make('ul', { class: 'lg-steps' });
        for (const step of why.steps) {
          const from = step.stage ? ` ← ${step.stage}, run ${short(step.run ?? '')}` : '';
          const line = make('li', {}, step.path === '.' ? 'the whole project' : step.path, make('span', { class: 'lg-faint' }, from));
          line.style.paddingInlineStart = `${step.depth * 16}px`;
          tree.append(line);
        }
        node.append(make('h3', {}, 'Made from'), tree);
      }
      const buttons = [Dialog.cancelButton({ label: 'Close' })];
      if (why.run) {
        buttons.push(Dialog.okButton({ label: 'Show the Run' }));
      }
      const answer = await showDialog({ title: `Why ${why.path}?`, body: bodyOf(node), buttons });
      if (why.run && answer.button.accept) {
        await commands.execute('lockgate:show-runs', { run: why.run, path });
      }
    }

    commands.addCommand(FileCommands.history, {
      label: 'History',
      caption: 'The commits that changed this file, and the runs that read or made it',
      icon: historyIcon,
      execute: async args => {
        const path = chosen(args);
        if (!path) {
          return;
        }
        try {
          const found = await client.get<{ happenings: IHappening[]; warning: string | null }>('history', { path });
          const list = make('ul', { class: 'lg-happenings' });
          for (const each of found.happenings) {
            list.append(
              make(
                'li',
                { 'data-kind': each.kind },
                make('span', { class: 'lg-kind' }, each.kind === 'commit' ? 'commit' : each.run ? `run ${short(each.run)}` : 'hub'),
                make('span', {}, each.title),
                make('span', { class: 'lg-faint', title: each.at }, `${each.by} · ${ago(Date.parse(each.at) / 1000)}`)
              )
            );
          }
          const isEmpty = found.happenings.length === 0;
          const note = found.warning ?? (isEmpty ? 'Nothing is recorded of it yet.' : null);
          await show(`History of ${path}`, make('div', {}, note ? make('p', { class: 'lg-warning' }, note) : null, list));
        } catch (error) {
          await showFailure(`History of ${path}`, error);
        }
      }
    });

    commands.addCommand(FileCommands.verify, {
      label: 'Verify',
      caption: 'Make the run that made this file again from nothing, and compare',
      icon: verifyIcon,
      execute: async args => {
        const path = chosen(args);
        if (!path) {
          return;
        }
        try {
          const run = typeof args.run === 'string' ? args.run : (await client.get<IWhy>('why', { path })).run;
          if (!run) {
            await show(path, make('p', {}, 'No stage makes it: there is nothing to make again.'));
            return;
          }
          await client.post(`runs/${run}/verify`, {}, { path });
          under.set(run, { id: Notification.emit(`Making run ${short(run)} again…`, 'in-progress', { autoClose: false }), path });
        } catch (error) {
          await showFailure('Nothing was verified', error);
        }
      }
    });

    function told(came: INews): void {
      if (came.kind === 'verifying') {
        const asked = under.get(came.data.of);
        if (asked && came.data.total) {
          const message = `Making run ${short(came.data.of)} again: ${came.data.settled ?? 0} of ${came.data.total} stages`;
          Notification.update({ id: asked.id, message, type: 'in-progress', autoClose: false });
        }
      } else if (came.kind === 'verified') {
        const verdict = came.data as unknown as IVerdict;
        const asked = under.get(verdict.run);
        if (asked) {
          under.delete(verdict.run);
          Notification.dismiss(asked.id);
          void showVerdict(asked.path, verdict);
        }
      }
    }

    async function showVerdict(path: string, verdict: IVerdict): Promise<void> {
      if (verdict.failure) {
        await show('It could not be verified', make('div', {}, make('p', {}, verdict.failure), make('p', { class: 'lg-faint' }, verdict.hint)));
        return;
      }
      const mark = verdict.is_proved ? 'proved' : 'differs';
      const node = make('div', {}, make('p', { class: 'lg-verdict', 'data-verdict': mark }, `Run ${short(verdict.run)}: ${verdict.words}`));
      for (const cause of verdict.causes) {
        node.append(make('p', {}, cause));
      }
      const list = make('ul', { class: 'lg-proofs' });
      for (const proof of verdict.proofs) {
        list.append(make('li', { 'data-verdict': proof.verdict }, make('span', {}, proof.path), make('span', { class: 'lg-faint' }, proof.words)));
      }
      node.append(list);
      for (const proof of verdict.proofs.filter(each => each.is_picture && each.verdict !== 'not-run').slice(0, PICTURES_AT_MOST)) {
        node.append(
          make(
            'figure',
            { class: 'lg-pair' },
            make('figcaption', {}, proof.path),
            ...[
              [verdict.run, 'recorded'],
              [verdict.by_run, 'made again']
            ].map(([run, caption]) =>
              make('div', {}, make('img', { src: client.url(`runs/${run}/file`, { path, file: proof.path }), alt: `${proof.path}, ${caption}` }), make('span', { class: 'lg-faint' }, caption))
            )
          )
        );
      }
      await show(verdict.is_proved ? 'It comes out again' : 'It does not come out again', node);
    }

    news.came.connect((_, came) => {
      try {
        told(came);
      } catch (error) {
        Notification.error(words(error).message);
      }
    });
  }
};
