// The points in WebGL2, each painted once, in the order in which they lie in the buffers: passes 0, the grey ground,
// 1, chosen without a colour, 2, chosen with one; then 3, rings round the chosen that are flagged.

const VERTEX = `#version 300 es
in vec3 place; in float color;
uniform vec4 camera; uniform mat3 turn; uniform float size, pass, ratio;
out float slot;
void main() {
  vec3 p = turn * place;
  gl_Position = vec4((p.xy - camera.xy) * camera.zw, 0.0, 1.0);
  gl_PointSize = pass < 0.5 ? max(1.5 * ratio, size * 0.72) : pass > 2.5 ? size + 5.0 * ratio : size;
  slot = color;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in float slot;
uniform sampler2D palette; uniform vec4 context; uniform vec4 ring; uniform float alpha, pass, width, smooth_, rim;
out vec4 pixel;
void main() {
  float edge = 1.0, far = length(gl_PointCoord - 0.5);
  if (pass > 2.5) {
    edge = smoothstep(rim - 0.06, rim, far) * (1.0 - smoothstep(0.44, 0.5, far));
    if (edge <= 0.0) discard;
    pixel = vec4(ring.rgb, ring.a * edge);
  } else {
    if (smooth_ > 0.5) {
      edge = 1.0 - smoothstep(0.40, 0.5, far);
      if (edge <= 0.0) discard;
    }
    float at = floor(slot + 0.5);
    vec4 own = texelFetch(palette, ivec2(int(mod(at, width)), int(at / width)), 0);
    pixel = pass < 0.5 ? vec4(context.rgb, context.a * edge) : vec4(own.rgb, alpha * edge);
  }
  pixel.rgb *= pixel.a;
}`;
const WIDE = 256; // texels a row of the palette
const ATTRIBUTES = ["place", "color"];
const UNIFORMS = [
  "camera",
  "turn",
  "size",
  "pass",
  "palette",
  "context",
  "ring",
  "alpha",
  "width",
  "smooth_",
  "ratio",
  "rim",
];

export class GlPainter {
  constructor(canvas, gl) {
    this.canvas = canvas;
    this.gl = gl;
    this.prepare();
  }

  prepare() {
    const gl = this.gl,
      program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    ATTRIBUTES.forEach((name, at) => gl.bindAttribLocation(program, at, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throw new Error(gl.getProgramInfoLog(program) || "the plot's shader does not link");
    }
    this.program = program;
    this.uniforms = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]));
    this.buffers = ATTRIBUTES.map(() => gl.createBuffer());
    this.rings = gl.createBuffer();
    this.texture = gl.createTexture();
  }

  upload({ count, x, y, z, slot, flagged, ranges }, palette) {
    const gl = this.gl,
      place = new Float32Array(3 * count);
    for (let i = 0; i < count; i++) {
      place[3 * i] = x[i];
      place[3 * i + 1] = y[i];
      place[3 * i + 2] = z ? z[i] : 0;
    }
    const columns = [
      [place, 3, gl.FLOAT],
      [slot, 1, gl.FLOAT],
    ];
    columns.forEach(([data, parts, kind], at) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[at]);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, parts, kind, false, 0, 0);
    });
    this.ranges = ranges;
    const ringed = [];
    for (let i = ranges[1][0]; i < count; i++) if (flagged[i]) ringed.push(i);
    this.ringed = ringed.length;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.rings);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, Uint32Array.from(ringed), gl.STATIC_DRAW);
    const rows = Math.max(1, Math.ceil(palette.length / 4 / WIDE)),
      pixels = new Uint8Array(4 * WIDE * rows);
    pixels.set(palette);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, WIDE, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  // look: { camera, turn, width, height, ratio, size, ground, alpha, context, ring, rings, share (of the points) }
  paint(look) {
    const gl = this.gl,
      u = this.uniforms,
      { camera: c, ratio } = look;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(this.program);
    gl.uniform4f(u.camera, c.x, c.y, (2 * c.scale) / look.width, (2 * c.scale) / look.height);
    gl.uniformMatrix3fv(u.turn, true, new Float32Array(look.turn));
    gl.uniform1f(u.width, WIDE);
    gl.uniform1f(u.ratio, ratio);
    gl.uniform1f(u.alpha, look.alpha);
    gl.uniform4f(u.context, ...look.context);
    gl.uniform4f(u.ring, ...look.ring);
    for (const pass of [0, 1, 2, 3]) {
      if (pass === 3 && !(look.rings && this.ringed)) continue;
      const wide = (pass ? look.size : look.ground) * ratio;
      gl.uniform1f(u.size, wide);
      gl.uniform1f(u.smooth_, wide > 2.5 ? 1 : 0);
      gl.uniform1f(u.rim, (0.5 * (wide + 1.6 * ratio)) / (wide + 5 * ratio));
      gl.uniform1f(u.pass, pass);
      if (pass === 3) gl.drawElements(gl.POINTS, this.ringed, gl.UNSIGNED_INT, 0);
      else gl.drawArrays(gl.POINTS, this.ranges[pass][0], Math.ceil(this.ranges[pass][1] * look.share));
    }
  }
}
