// What one stage prints, as it prints it: whole lines are kept, the line being written is replaced.

import { Widget } from '@lumino/widgets';
import { Asking } from './asking';
import { make } from './dom';
import { words } from './failure';
import { INews, News } from './news';
import { Client } from './request';
import { ILogPart, Stretch } from './runshown';

/** More characters than this are not kept in the page; the oldest go first. */
const KEPT = 256_000;

export class LogView extends Widget {
  private readonly text = make('pre', { class: 'lg-log-text', tabindex: 0, 'aria-label': 'Output of the stage' });
  private readonly rest = make('span');
  private readonly note = make('p', { class: 'lg-note', role: 'status' });
  private at = 0;
  private kept = 0;
  private readonly asking = new Asking(() => this.fetch());

  constructor(
    private readonly client: Client,
    private readonly news: News,
    private readonly path: string,
    readonly run: string,
    readonly stage: string
  ) {
    super();
    this.addClass('lg-log');
    this.text.append(this.rest);
    this.note.textContent = 'Looking for output…';
    this.node.append(this.text, this.note);
    news.came.connect(this.hear, this);
    void this.asking.ask();
  }

  dispose(): void {
    this.asking.stop();
    this.news.came.disconnect(this.hear, this);
    super.dispose();
  }

  private hear(_: News, came: INews): void {
    if (came.kind === 'log' && came.data.run === this.run && came.data.stage === this.stage) {
      void this.asking.ask();
    }
  }

  private async fetch(): Promise<void> {
    try {
      const query = { path: this.path, stage: this.stage, at: String(this.at) };
      this.add(await this.client.get<ILogPart>(`runs/${this.run}/log`, query));
    } catch (error) {
      this.note.textContent = words(error).message;
    }
  }

  private add(part: ILogPart): void {
    const isAtEnd = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 24;
    if (part.start > this.at && this.at > 0) {
      this.rest.before('… more was printed than is shown here …\n');
    }
    if (part.lines.length > 0) {
      const piece = spans(part.lines);
      // A block of its own: what is there already is not laid out anew
      piece.className = 'lg-log-piece';
      this.rest.before(piece);
      this.kept += piece.textContent!.length;
      while (this.kept > KEPT && this.text.firstChild !== this.rest) {
        this.kept -= this.text.firstChild!.textContent!.length;
        this.text.firstChild!.remove();
      }
    }
    this.rest.replaceChildren(spans(part.rest));
    this.at = part.end;
    const isEmpty = this.text.textContent === '';
    this.note.textContent = part.failure || (isEmpty ? (part.is_over ? 'It printed nothing.' : 'Nothing printed yet.') : '');
    this.text.hidden = isEmpty;
    if (isAtEnd) {
      this.text.scrollTop = this.text.scrollHeight;
    }
  }
}

function spans(stretches: Stretch[]): HTMLSpanElement {
  const whole = make('span');
  for (const [style, text] of stretches) {
    whole.append(style ? make('span', { class: style.split(' ').map(word => `lg-ansi-${word}`).join(' ') }, text) : text);
  }
  return whole;
}
