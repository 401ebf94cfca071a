// One run in the panel: how it stands, its stages, the log of one of them, and what it made.

import { CommandRegistry } from '@lumino/commands';
import { Message } from '@lumino/messaging';
import { PanelLayout, Widget } from '@lumino/widgets';
import { Asking } from './asking';
import { button, make } from './dom';
import { showFailure, words } from './failure';
import { LogView } from './logview';
import { News } from './news';
import { short } from './project';
import { Client } from './request';
import { IOpener, showResults } from './results';
import { IRunShown, IStageShown } from './runshown';
import { drawStages } from './stagegraph';
import { ago, duration, stateWord } from './words';

export interface IRunOpener extends IOpener {
  again(shown: IRunShown): Promise<void>;
  inputs(run: string, stage: string): Promise<void>;
  beside(run: string, stage: IStageShown): Promise<void>;
}

const STAGES_AT_ONCE = 60;
/** Pixels of padding and border around the graph, both sides together. */
const GRAPH_FRAME = 22;

export class RunView extends Widget {
  private readonly body = new Widget();
  private readonly place = make('div', { class: 'lg-log-place' });
  /** One element, so that it stays scrolled as it is when the run is shown anew. */
  private readonly graph = make('div', { class: 'lg-graph-scroll', tabindex: 0, role: 'region', 'aria-label': 'Graph of the stages' });
  private log: LogView | null = null;
  private shown: IRunShown | null = null;
  private results = '';
  private stage = '';
  private isChosen = false;
  private readonly asking = new Asking(() => this.fetch());

  constructor(
    private readonly client: Client,
    private readonly news: News,
    private readonly commands: CommandRegistry,
    private readonly path: string,
    readonly run: string,
    private readonly opener: IRunOpener,
    private readonly back: () => void
  ) {
    super();
    this.addClass('lg-run-view');
    const layout = (this.layout = new PanelLayout());
    layout.addWidget(this.body);
    this.body.node.append(make('p', { class: 'lg-note' }, 'Looking at the run…'));
    void this.look();
  }

  dispose(): void {
    this.asking.stop();
    this.log?.dispose();
    super.dispose();
  }

  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector<HTMLElement>('.lg-up')?.focus();
  }

  look(): Promise<void> {
    return this.asking.ask();
  }

  private async fetch(): Promise<void> {
    try {
      this.shown = await this.client.get<IRunShown>(`runs/${this.run}`, { path: this.path });
      if (!this.isDisposed) {
        this.render(this.shown);
      }
    } catch (error) {
      const told = words(error);
      this.body.node.replaceChildren(
        this.head(null),
        make('p', { class: 'lg-note', role: 'alert' }, `${told.message}. ${told.hint}`)
      );
    }
  }

  private head(shown: IRunShown | null): HTMLElement {
    const back = button('‹ All runs', this.back, { class: 'lg-button lg-up' });
    const head = make('header', { class: 'lg-run-head' }, back);
    if (!shown) {
      return head;
    }
    const { line } = shown;
    const took = line.seconds === null ? '' : `, ${duration(line.seconds)}`;
    head.append(
      make('h2', {}, `Run ${short(line.id)}`, make('span', { class: 'lg-state', 'data-state': line.state }, stateWord(line.state))),
      make('p', { class: 'lg-faint' }, `${line.where} · ${line.member} · ${ago(line.created_at)}${took}`)
    );
    if (line.cause) {
      head.append(make('p', { class: 'lg-cause' }, line.cause));
    }
    for (const verdict of shown.verdicts.slice(0, 3)) {
      head.append(make('p', { class: 'lg-faint' }, `Verified: ${verdict}`));
    }
    const actions = make('div', { class: 'lg-actions' });
    if (!shown.is_over) {
      actions.append(button('Cancel', () => this.cancel()));
    } else {
      actions.append(
        button('Run again', () => this.opener.again(shown)),
        button('Verify', () => this.commands.execute('lockgate:verify', { run: line.id, path: this.path }))
      );
    }
    if (shown.page) {
      actions.append(make('a', { class: 'lg-button', href: shown.page, target: '_blank', rel: 'noopener' }, 'Open on the hub'));
    }
    head.append(actions);
    return head;
  }

  private async cancel(): Promise<void> {
    try {
      await this.client.post(`runs/${this.run}/cancel`, {}, { path: this.path });
    } catch (error) {
      await showFailure('The run was not cancelled', error);
    }
    await this.look();
  }

  private render(shown: IRunShown): void {
    if (!this.isChosen) {
      this.stage = telling(shown);
    }
    const focused = this.node.contains(document.activeElement) ? labelOf(document.activeElement) : null;
    const graph = drawStages(shown.stages, this.stage, name => this.choose(name), this.node.clientWidth - GRAPH_FRAME);
    const parts: HTMLElement[] = [this.head(shown)];
    if (graph) {
      this.graph.replaceChildren(graph);
      parts.push(this.graph);
    }
    parts.push(this.stages(shown));
    if (this.stage && (!this.log || this.log.stage !== this.stage)) {
      this.log?.dispose();
      this.log = new LogView(this.client, this.news, this.path, this.run, this.stage);
      this.place.replaceChildren(make('h3', {}, `Output of ${this.stage}`), this.log.node);
    }
    if (this.log) {
      parts.push(this.place);
    }
    const made = JSON.stringify([shown.figures, shown.tables, shown.others, shown.metrics, shown.problem]);
    const before = this.body.node.querySelector<HTMLElement>('.lg-results');
    parts.push(before && made === this.results ? before : showResults(this.client, this.path, shown, this.opener));
    this.results = made;
    this.body.node.replaceChildren(...parts);
    if (focused) {
      [...this.node.querySelectorAll<HTMLElement>('button, [tabindex], a, summary')].find(each => labelOf(each) === focused)?.focus();
    }
  }

  private stages(shown: IRunShown): HTMLElement {
    const list = make('ul', { class: 'lg-stages', 'aria-label': 'Stages' });
    for (const stage of shown.stages.slice(0, STAGES_AT_ONCE)) {
      const choose = button(stage.name, () => this.choose(stage.name), {
        class: 'lg-stage-name',
        'aria-pressed': String(stage.name === this.stage)
      });
      const took = stage.seconds === null ? '' : duration(stage.seconds);
      const state = make('span', { class: 'lg-state', 'data-state': stage.state }, stateWord(stage.state));
      const row = make(
        'li',
        { 'data-state': stage.state },
        make('div', { class: 'lg-stage-line' }, choose, make('span', { class: 'lg-stage-line' }, state, make('span', { class: 'lg-faint' }, took))),
        stage.note ? make('p', { class: 'lg-stage-note' }, stage.note) : null
      );
      if (stage.name === this.stage) {
        const actions = make('div', { class: 'lg-actions' });
        actions.append(button(stage.notebook ? 'Open notebook with its inputs' : 'Open its inputs', () => this.opener.inputs(this.run, stage.name)));
        if (stage.executed) {
          actions.append(button('Executed copy beside mine', () => this.opener.beside(this.run, stage)));
        }
        row.append(actions);
      }
      list.append(row);
    }
    const left = shown.stages.length - STAGES_AT_ONCE;
    if (left > 0) {
      list.append(make('li', { class: 'lg-note' }, `${left} more stages`));
    }
    return list;
  }

  private choose(name: string): void {
    this.stage = name;
    this.isChosen = true;
    if (this.shown) {
      this.render(this.shown);
    }
  }
}

/** The stage most worth looking at: one that failed, else runs, else ended last. */
function telling(shown: IRunShown): string {
  for (const states of [['failed'], ['running', 'collecting', 'submitted'], ['succeeded']]) {
    const found = shown.stages.filter(stage => states.includes(stage.state));
    if (found.length > 0) {
      return found[states[0] === 'succeeded' ? found.length - 1 : 0].name;
    }
  }
  return shown.stages[0]?.name ?? '';
}

function labelOf(node: Element | null): string {
  return `${node?.tagName} ${node?.getAttribute('aria-label') ?? node?.textContent ?? ''}`;
}
