import { describe, expect, it } from 'vitest';

import { separate, band, column, radius, scaled, sparkline } from '../src/model/geometry';

describe('custody', () => {
  const drawing = column([['a'], ['b'], ['c', 'd']], 240);

  it('runs from top to bottom, without overlaps', () => {
    const [a, b, c, d] = drawing.boxes;
    expect(b.y).toBeGreaterThanOrEqual(a.y + a.height);
    expect(c.y).toBe(d.y);
    expect(c.x + c.width).toBeLessThan(d.x);
    expect(d.x + d.width).toBe(240);
    expect(drawing.height).toBe(c.y + c.height);
  });

  it('joins each box to the boxes of the row above', () => {
    expect(drawing.arrows.map(({ from, to }) => from + to)).toEqual(['ab', 'bc', 'bd']);
  });
});

describe('maps and lines', () => {
  it('keep points inside for any value', () => {
    expect(scaled(-1, 100, 10)).toBe(10);
    expect(scaled(1, 100, 10)).toBe(90);
    expect(scaled(99, 100, 10)).toBe(90);
    expect(scaled(NaN, 100, 10)).toBe(50);
    expect(radius(-5, 0)).toBe(2);
    expect(radius(9, 9)).toBe(6);
  });

  it('begin at the prior mean', () => {
    const moments = [{ time: 1, mean: 1, deviation: 0, ratings: 1 }];
    expect(sparkline(moments, 100, 20)).toBe('M0 10 L100 0');
    expect(sparkline([], 100, 20)).toBe('M0 10');
    expect(band(moments, 100, 20)).toMatch(/^M0 4.2 L100 0 L100 0 L0 15.8 Z$/);
  });
});

describe('labels', () => {
  it('are separated, even from one place, and stay inside', () => {
    const moved = separate(
      [
        { x: 50, y: 50 },
        { x: 50, y: 50 },
        { x: 52, y: 50 },
        { x: 0, y: 0 }
      ],
      10,
      { width: 100, height: 100 }
    );
    moved.forEach((a, i) =>
      moved.slice(i + 1).forEach(b => expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(9.9))
    );
    moved.forEach(({ x, y }) => expect(Math.min(x, y, 100 - x, 100 - y)).toBeGreaterThanOrEqual(0));
  });

  it('with enough distance keep their places', () => {
    const points = [
      { x: 20, y: 20 },
      { x: 80, y: 80 }
    ];
    expect(separate(points, 10, { width: 100, height: 100 })).toEqual(points);
  });
});
