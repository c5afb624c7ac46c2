// Depth only, from a light.
uniform mat4 clip_from_camera;
in vec3 in_position;
in vec2 in_uv;
in vec4 in_row0, in_row1, in_row2;
in float in_length;
#ifdef CUTOUT
in vec4 in_texturing;
in vec2 in_offset;
#ifdef THREE_JS
out vec3 v_object;
flat out vec4 v_laid;
#ifdef CAPSULE
flat out float v_length;
#endif
#else
out vec2 v_uv;
#endif
flat out float v_cutoff;
#endif
void main() {
    vec4 p = vec4(in_position, 1.0);
    if (in_length > 0.0) p.z += in_uv.x * in_length;  // ends of capsules
#ifdef CUTOUT
#ifdef THREE_JS
    v_object = p.xyz;
    v_laid = vec4(in_texturing.xy, in_offset);
#ifdef CAPSULE
    v_length = in_length;
#endif
#else
    v_uv = in_uv * in_texturing.xy + in_offset;
#endif
    v_cutoff = in_texturing.w;
#endif
    gl_Position = clip_from_camera * vec4(dot(in_row0, p), dot(in_row1, p), dot(in_row2, p), 1.0);
}
