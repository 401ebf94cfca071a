// Five steps for who comes here the first time: shown once, dismissed for good, called again from the menu.

import { ILabShell, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { button, make } from './dom';

const SETTINGS = '@lockgate/jupyterlab:plugin';

interface IStep {
  title: string;
  text: string;
  /** The first of these that can be seen is pointed at. */
  at: string[];
  before?: string;
}

const STEPS: IStep[] = [
  {
    title: 'Your notebook, as ever',
    text: 'Write and try out as you are used to. Lockgate stays out of the way until you press Run.',
    at: ['.jp-NotebookPanel:not(.lm-mod-hidden) .jp-NotebookPanel-toolbar', '.jp-NotebookPanel']
  },
  {
    title: 'Run it as a batch job',
    text: 'One press saves, takes a snapshot and runs what is not known yet. Green: all is known. Orange: something would run; the reason is in the hint.',
    at: ['.jp-NotebookPanel:not(.lm-mod-hidden) .lg-run']
  },
  {
    title: 'Watch',
    text: 'This panel shows the queue, the stages, and what they print, live. You may close the page: the run goes on.',
    at: ['#lockgate-runs', '.jp-SideBar .lm-TabBar-tab[data-id="lockgate-runs"]'],
    before: 'lockgate:show-runs'
  },
  {
    title: 'Results',
    text: 'Figures, tables and the executed notebook stand with the run, and lie in your project. Right-click a file for Why?, Verify and History.',
    at: ['#lockgate-runs']
  },
  {
    title: 'Share',
    text: 'Sync takes what others did and sends what you did. Your branch stands in the status bar, and all of this in the menu Lockgate.',
    at: ['.jp-NotebookPanel:not(.lm-mod-hidden) [data-jp-item-name="lockgate-sync"]', '.lg-branch', '#jp-MainMenu']
  }
];

class Tour {
  private at = 0;
  private readonly card = make('div', { class: 'lg-tour', role: 'dialog', 'aria-label': 'Guided tour of Lockgate', tabindex: -1 });
  private readonly ring = make('div', { class: 'lg-tour-ring', 'aria-hidden': 'true' });
  private readonly before = document.activeElement as HTMLElement | null;

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly ended: () => void
  ) {
    document.body.append(this.ring, this.card);
    this.card.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.end();
      } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
        event.stopPropagation();
        void this.go(this.at + (event.key === 'ArrowRight' ? 1 : -1));
      }
    });
    window.addEventListener('resize', this.place);
    void this.go(0);
  }

  end(): void {
    window.removeEventListener('resize', this.place);
    this.card.remove();
    this.ring.remove();
    this.before?.focus?.();
    this.ended();
  }

  private async go(at: number): Promise<void> {
    if (at < 0) {
      return;
    }
    if (at >= STEPS.length) {
      this.end();
      return;
    }
    this.at = at;
    const step = STEPS[at];
    if (step.before) {
      await this.app.commands.execute(step.before);
    }
    const isLast = at === STEPS.length - 1;
    const actions = make(
      'div',
      { class: 'lg-actions' },
      isLast ? null : button('Skip the tour', () => this.end(), { class: 'lg-button lg-plain' }),
      at > 0 ? button('Back', () => this.go(at - 1)) : null,
      button(isLast ? 'Done' : 'Next', () => this.go(at + 1), { class: 'lg-button lg-main' })
    );
    this.card.replaceChildren(
      make('p', { class: 'lg-faint' }, `Step ${at + 1} of ${STEPS.length}`),
      make('h2', {}, step.title),
      make('p', { 'aria-live': 'polite' }, step.text),
      actions
    );
    this.place();
    this.card.querySelector<HTMLElement>('.lg-main')?.focus();
  }

  private readonly place = (): void => {
    const target = STEPS[this.at].at.map(each => visible(each)).find(found => found !== null);
    const where = target?.getBoundingClientRect() ?? new DOMRect(window.innerWidth / 2, window.innerHeight / 3, 0, 0);
    this.ring.hidden = !target;
    Object.assign(this.ring.style, {
      left: `${where.left - 3}px`,
      top: `${where.top - 3}px`,
      width: `${where.width + 6}px`,
      height: `${where.height + 6}px`
    });
    const { offsetWidth, offsetHeight } = this.card;
    const isTall = where.height > window.innerHeight / 2;
    const left = isTall ? where.right + 16 : where.left;
    let top = isTall ? where.top + 24 : where.bottom + 12;
    if (top + offsetHeight > window.innerHeight - 8) {
      top = where.top - offsetHeight - 12;
    }
    this.card.style.left = `${Math.max(8, Math.min(left, window.innerWidth - offsetWidth - 8))}px`;
    this.card.style.top = `${Math.max(8, top)}px`;
  };
}

function visible(selector: string): Element | null {
  return [...document.querySelectorAll(selector)].find(node => node.getClientRects().length > 0) ?? null;
}

export const tourPlugin: JupyterFrontEndPlugin<void> = {
  id: '@lockgate/jupyterlab:tour',
  description: 'Shows Lockgate to who comes the first time.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ISettingRegistry, ILabShell],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, registry: ISettingRegistry | null) => {
    let tour: Tour | null = null;

    function begin(ended: () => void = () => undefined): void {
      tour?.end();
      tour = new Tour(app, () => {
        tour = null;
        ended();
      });
    }

    app.commands.addCommand('lockgate:tour', {
      label: 'Guided Tour',
      caption: 'Five steps from a notebook to shared results',
      execute: () => begin()
    });

    async function offer(): Promise<void> {
      const settings = await registry?.load(SETTINGS);
      const panel = tracker.currentWidget;
      if (!settings || !settings.get('offerTour').composite || !panel) {
        return;
      }
      await panel.context.ready;
      begin(() => void settings.set('offerTour', false));
    }
    void app.restored.then(() => {
      const first = (): void => {
        tracker.currentChanged.disconnect(first);
        void offer();
      };
      if (tracker.currentWidget) {
        first();
      } else {
        tracker.currentChanged.connect(first);
      }
    });
  }
};
