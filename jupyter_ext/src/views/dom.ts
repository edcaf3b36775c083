/** Making elements. Text goes in as text: no function here takes markup. */

import { isLink, line } from '../model/text';

export type Child = Node | string | null | undefined | false;

export interface IAttributes {
  [name: string]: string | number | boolean | ((event: any) => void) | undefined;
}

/** An element; an attribute `onclick` listens, `true` sets and `false` or `undefined` leaves it out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: IAttributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag: string, attributes: IAttributes = {}, ...children: Child[]): SVGElement {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill<T extends Element>(element: T, attributes: IAttributes, children: Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name.slice(2), value);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  put(element, ...children);
  return element;
}

/** Replace what is in an element. */
export function put(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => !!child || child === ''));
}

/** The same; a button in it that has the focus leaves it to its successor of the same name, else to `refuge`. */
export function renew(element: Element, refuge: HTMLElement, ...children: Child[]): void {
  const held = element.contains(document.activeElement) ? name(document.activeElement!) : null;
  put(element, ...children);
  if (held !== null) {
    ([...element.querySelectorAll('button')].find(one => name(one) === held) ?? refuge).focus();
  }
}

function name(element: Element): string | null {
  return element.getAttribute('aria-label') ?? element.textContent;
}

/** A button with a word on it, or with a sign and a name for those who do not see it. */
export function button(label: string, act: () => void, attributes: IAttributes = {}): HTMLButtonElement {
  const onclick = (event: Event) => {
    if ((event.currentTarget as Element).getAttribute('aria-disabled') !== 'true') {
      act();
    }
  };
  return h('button', { type: 'button', class: 'jp-knet-Button', onclick, ...attributes }, label);
}

/** Let a button act or not. One that does not keeps the focus, which it would lose if it were `disabled`. */
export function enable(button: HTMLButtonElement, enabled: boolean): void {
  button.setAttribute('aria-disabled', String(!enabled));
}

/** A source: a link where it leads to the web, else its address as text. */
export function source(title: string, uri: string): HTMLElement {
  const name = line(title || uri, 160);
  if (isLink(uri)) {
    return h('a', { href: uri, target: '_blank', rel: 'noopener noreferrer nofollow', title: line(uri) }, name);
  }
  return h('span', { title: line(uri) }, name);
}
