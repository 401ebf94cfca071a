// The stages of a run as a small picture: rows from top to bottom, lines from who is waited for.

import { draw } from './dom';
import { IStageShown } from './runshown';
import { stateWord } from './words';

/** As wide as there is room for, between these. */
const WIDEST = 118;
const NARROWEST = 88;
const TALL = 36;
const GAP_X = 10;
const GAP_Y = 22;
const EDGE = 3;
/** A picture of more stages helps nobody; the list below it does. */
const SHOWN_AT_MOST = 120;

/** Draw them from top to bottom, as many beside each other as `room` (pixels) has place for. */
export function drawStages(stages: IStageShown[], chosen: string, choose: (name: string) => void, room: number): SVGElement | null {
  if (stages.length < 2 || stages.length > SHOWN_AT_MOST) {
    return null;
  }
  const within = room - 2 * EDGE + GAP_X;
  const across = Math.max(2, Math.floor(within / (WIDEST + GAP_X)));
  const wide = Math.max(NARROWEST, Math.min(WIDEST, Math.floor(within / across) - GAP_X));
  const rows: IStageShown[][] = [];
  for (let layer = 0; layer <= Math.max(...stages.map(stage => stage.layer)); layer++) {
    const inIt = stages.filter(stage => stage.layer === layer);
    for (let at = 0; at < inIt.length; at += across) {
      rows.push(inIt.slice(at, at + across));
    }
  }
  const spread = (count: number): number => count * (wide + GAP_X) - GAP_X;
  const width = spread(Math.max(...rows.map(row => row.length))) + 2 * EDGE;
  const height = rows.length * (TALL + GAP_Y) - GAP_Y + 2 * EDGE;
  const places = new Map<string, [number, number]>();
  rows.forEach((row, at) => {
    const left = (width - spread(row.length)) / 2;
    row.forEach((stage, n) => places.set(stage.name, [left + n * (wide + GAP_X), EDGE + at * (TALL + GAP_Y)]));
  });
  const svg = draw('svg', {
    class: 'lg-graph',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: 'group',
    'aria-label': 'Stages of the run, from first to last'
  });
  for (const stage of stages) {
    const [x2, y2] = places.get(stage.name)!;
    for (const other of stage.above) {
      const from = places.get(other);
      if (from) {
        const [x1, y1] = [from[0] + wide / 2, from[1] + TALL];
        const bend = Math.max(8, (y2 - y1) / 2);
        const to = x2 + wide / 2;
        svg.append(draw('path', { class: 'lg-edge', d: `M${x1} ${y1}C${x1} ${y1 + bend} ${to} ${y2 - bend} ${to} ${y2}` }));
      }
    }
  }
  for (const stage of stages) {
    const [x, y] = places.get(stage.name)!;
    const told = `${stage.name}: ${stateWord(stage.state)}${stage.note ? `, ${stage.note}` : ''}`;
    const box = draw(
      'g',
      {
        class: 'lg-node',
        'data-state': stage.state,
        transform: `translate(${x} ${y})`,
        tabindex: 0,
        role: 'button',
        'aria-label': told,
        'aria-pressed': String(stage.name === chosen)
      },
      draw('title', {}, told),
      draw('rect', { class: 'lg-box', width: wide, height: TALL, rx: 6 }),
      draw('rect', { class: 'lg-stripe', x: 5, y: 7, width: 4, height: TALL - 14, rx: 2 }),
      draw('text', { class: 'lg-node-name', x: 16, y: 15 }, fit(stage.name, Math.floor((wide - 20) / 6.6))),
      draw('text', { class: 'lg-node-state', x: 16, y: 29 }, fit(stateWord(stage.state), Math.floor((wide - 20) / 5.8)))
    );
    box.addEventListener('click', () => choose(stage.name));
    box.addEventListener('keydown', event => {
      if ((event as KeyboardEvent).key === 'Enter' || (event as KeyboardEvent).key === ' ') {
        event.preventDefault();
        choose(stage.name);
      }
    });
    svg.append(box);
  }
  return svg;
}

function fit(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, 6)}…${text.slice(text.length - length + 7)}`;
}
