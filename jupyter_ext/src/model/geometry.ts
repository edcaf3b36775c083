/** Geometry of the drawings: boxes of the custody, points of the topics, the line of the reliability. */

import type { Point } from './types';

export interface IBox {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface IArrow {
  path: string;
  from: string;
  to: string;
}

export interface IDrawing {
  boxes: IBox[];
  arrows: IArrow[];
  width: number;
  height: number;
}

const GAP = 22;

/** Lay out rows of boxes from top to bottom, with an arrow from every box to each box of the next row. */
export function column(rows: string[][], width: number, height = 46): IDrawing {
  const boxes = rows.flatMap((row, at) => {
    const own = (width - GAP * (row.length - 1)) / row.length;
    return row.map((id, place) => ({ id, x: place * (own + GAP), y: at * (height + GAP), width: own, height }));
  });
  const find = (id: string) => boxes.find(box => box.id === id)!;
  const arrows = rows.slice(1).flatMap((row, at) =>
    row.flatMap(to =>
      rows[at].map(from => {
        const [a, b] = [find(from), find(to)];
        const [x1, y1, x2, y2] = [a.x + a.width / 2, a.y + a.height, b.x + b.width / 2, b.y - 5];
        const middle = (y1 + y2) / 2;
        return { path: `M${x1} ${y1} C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`, from, to };
      })
    )
  );
  return { boxes, arrows, width, height: rows.length * (height + GAP) - GAP };
}

/** Convert a coordinate from -1..1 to pixels of a drawing with a margin. */
export function scaled(value: number, size: number, margin: number): number {
  const inside = Math.min(Math.max(Number.isFinite(value) ? value : 0, -1), 1);
  return margin + ((inside + 1) / 2) * (size - 2 * margin);
}

const ROUNDS = 40; // of separation; two dozen labels need fewer

/** Move points separate until their distances are at least `least`, inside a drawing. */
export function separate(
  points: { x: number; y: number }[],
  least: number,
  size: { width: number; height: number }
): { x: number; y: number }[] {
  const moved = points.map(({ x, y }) => ({ x, y }));
  const inside = (value: number, limit: number) => Math.min(Math.max(value, least / 2), limit - least / 2);
  for (let rounds = 0, pushed = true; pushed && rounds < ROUNDS; rounds++) {
    pushed = false;
    moved.forEach((a, i) =>
      moved.slice(i + 1).forEach((b, j) => {
        const [dx, dy] = [b.x - a.x, b.y - a.y];
        const distance = Math.hypot(dx, dy);
        if (distance < least - 0.01) {
          const angle = distance > 0.01 ? Math.atan2(dy, dx) : i + j; // points in the same place get arbitrary directions
          const [x, y] = [(Math.cos(angle) * (least - distance)) / 2, (Math.sin(angle) * (least - distance)) / 2];
          [a.x, a.y] = [inside(a.x - x, size.width), inside(a.y - y, size.height)];
          [b.x, b.y] = [inside(b.x + x, size.width), inside(b.y + y, size.height)];
          pushed = true;
        }
      })
    );
  }
  return moved;
}

/** Return the radius of a topic from its number of chunks. */
export function radius(weight: number, most: number): number {
  return 2 + 4 * Math.sqrt(Math.max(weight, 0) / Math.max(most, 1));
}

/** Return the path of the reliability over the batches, which starts at the prior mean (0.5). */
export function sparkline(moments: Point[], width: number, height: number): string {
  const values = [0.5, ...moments.map(moment => moment.mean)];
  const step = width / Math.max(values.length - 1, 1);
  const y = (value: number) => (1 - Math.min(Math.max(value, 0), 1)) * height;
  return values.map((value, at) => `${at ? 'L' : 'M'}${round(at * step)} ${round(y(value))}`).join(' ');
}

/** Return the band of one standard deviation around the same line. */
export function band(moments: Point[], width: number, height: number): string {
  const points = [{ mean: 0.5, deviation: Math.sqrt(1 / 12) }, ...moments];
  const step = width / Math.max(points.length - 1, 1);
  const at = (value: number) => round((1 - Math.min(Math.max(value, 0), 1)) * height);
  const upper = points.map((point, i) => `${round(i * step)} ${at(point.mean + point.deviation)}`);
  const lower = points.map((point, i) => `${round(i * step)} ${at(point.mean - point.deviation)}`).reverse();
  return `M${[...upper, ...lower].join(' L')} Z`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
