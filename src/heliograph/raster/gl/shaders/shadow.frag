// CUTOUT: what has holes casts a shadow with holes.
#ifdef CUTOUT
in vec2 v_uv;
flat in float v_cutoff;
uniform sampler2D image;
#endif
void main() {
#ifdef CUTOUT
    if (texture(image, v_uv).a < v_cutoff) discard;
#endif
}
