/** Construction of elements. Text is inserted as text: no function here accepts markup. */

import { isLink, line } from '../model/text';

export type Child = Node | string | null | undefined | false;

export interface IAttributes {
  [name: string]: string | number | boolean | ((event: any) => void) | undefined;
}

/** Create an element. A function attribute becomes a listener; `true` sets an attribute, `false` and `undefined` omit it. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: IAttributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** Create an SVG element in the same way. */
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

/** Replace the content of an element. */
export function put(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => !!child || child === ''));
}

/** Replace the content; the focus of a button moves to the new button of the same name, else to `fallback`. */
export function renew(element: Element, fallback: HTMLElement, ...children: Child[]): void {
  const focused = element.contains(document.activeElement) ? name(document.activeElement!) : null;
  put(element, ...children);
  if (focused !== null) {
    ([...element.querySelectorAll('button')].find(one => name(one) === focused) ?? fallback).focus();
  }
}

function name(element: Element): string | null {
  return element.getAttribute('aria-label') ?? element.textContent;
}

/** Create a button; a label that is only a sign needs an `aria-label`. */
export function button(label: string, act: () => void, attributes: IAttributes = {}): HTMLButtonElement {
  const onclick = (event: Event) => {
    if ((event.currentTarget as Element).getAttribute('aria-disabled') !== 'true') {
      act();
    }
  };
  return h('button', { type: 'button', class: 'jp-knet-Button', onclick, ...attributes }, label);
}

/** Enable or disable a button. It keeps its focus, which the attribute `disabled` would take. */
export function enable(button: HTMLButtonElement, enabled: boolean): void {
  button.setAttribute('aria-disabled', String(!enabled));
}

/** Create a link to a source on the web, or plain text for another address. */
export function source(title: string, uri: string): HTMLElement {
  const name = line(title || uri, 160);
  if (isLink(uri)) {
    return h('a', { href: uri, target: '_blank', rel: 'noopener noreferrer nofollow', title: line(uri) }, name);
  }
  return h('span', { title: line(uri) }, name);
}
