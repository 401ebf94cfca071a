// The stages of a run as a small picture: columns from left to right, lines from who is waited for.

import { draw } from './dom';
import { IStageShown } from './runshown';
import { stateWord } from './words';

const WIDE = 124;
const TALL = 34;
const GAP_X = 26;
const GAP_Y = 8;
const EDGE = 4;
/** A picture of more stages helps nobody; the list below it does. */
const SHOWN_AT_MOST = 120;

export function drawStages(stages: IStageShown[], chosen: string, choose: (name: string) => void): SVGElement | null {
  if (stages.length < 2 || stages.length > SHOWN_AT_MOST) {
    return null;
  }
  const columns: IStageShown[][] = [];
  for (const stage of stages) {
    (columns[stage.layer] ??= []).push(stage);
  }
  const tallest = Math.max(...columns.map(column => column.length));
  const height = tallest * (TALL + GAP_Y) - GAP_Y + 2 * EDGE;
  const width = columns.length * (WIDE + GAP_X) - GAP_X + 2 * EDGE;
  const places = new Map<string, [number, number]>();
  columns.forEach((column, at) => {
    const top = (height - (column.length * (TALL + GAP_Y) - GAP_Y)) / 2;
    column.forEach((stage, row) => places.set(stage.name, [EDGE + at * (WIDE + GAP_X), top + row * (TALL + GAP_Y)]));
  });
  const svg = draw('svg', {
    class: 'lg-graph',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: 'group',
    'aria-label': 'Stages of the run, from left to right'
  });
  for (const stage of stages) {
    const [x2, y2] = places.get(stage.name)!;
    for (const other of stage.above) {
      const from = places.get(other);
      if (from) {
        const x1 = from[0] + WIDE;
        const bend = (x2 - x1) / 2;
        const [a, b] = [from[1] + TALL / 2, y2 + TALL / 2];
        svg.append(draw('path', { class: 'lg-edge', d: `M${x1} ${a}C${x1 + bend} ${a} ${x2 - bend} ${b} ${x2} ${b}` }));
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
      draw('rect', { class: 'lg-box', width: WIDE, height: TALL, rx: 6 }),
      draw('rect', { class: 'lg-stripe', x: 0, y: 6, width: 4, height: TALL - 12, rx: 2 }),
      draw('text', { class: 'lg-node-name', x: 12, y: 15 }, fit(stage.name, 17)),
      draw('text', { class: 'lg-node-state', x: 12, y: 28 }, fit(stateWord(stage.state), 19))
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
