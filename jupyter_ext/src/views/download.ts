/** Download of a file by the browser. */

import { h } from './dom';
import type { ExportedFile } from '../model/types';

export function save(file: ExportedFile): void {
  const bytes = Uint8Array.from(atob(file.base64), letter => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: file.media_type }));
  const link = h('a', { href: url, download: file.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download has begun by then
}
