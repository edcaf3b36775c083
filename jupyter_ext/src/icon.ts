/** Icons. The sign of knet: nodes that vouch for each other. */

import { LabIcon } from '@jupyterlab/ui-components';

export const knetIcon = new LabIcon({
  name: 'knet:network',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
    <g class="jp-icon3" fill="#616161">
      <path d="M11.3 5.6 4.6 16.4l1.4.9 6-9.7 6 9.7 1.4-.9-6.7-10.8zM6 16.9h12v1.7H6z"/>
      <circle cx="12" cy="5" r="3.1"/><circle cx="5" cy="18" r="3.1"/><circle cx="19" cy="18" r="3.1"/>
    </g>
  </svg>`
});

/** A chain of custody: one thing that leads to the next. */
export const traceIcon = new LabIcon({
  name: 'knet:trace',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
    <g class="jp-icon3" fill="#616161">
      <path d="M3 3h10v5H3zM11 16h10v5H11z"/>
      <path d="M7.2 8h1.7v3.2h8V16h-1.7v-3.1h-8z"/>
    </g>
  </svg>`
});
