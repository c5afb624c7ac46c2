// Depth only, from a light.
uniform mat4 clip_from_camera;
in vec3 in_position;
in vec2 in_uv;
in vec4 in_row0, in_row1, in_row2;
in float in_length;
void main() {
    vec4 p = vec4(in_position, 1.0);
    if (in_length > 0.0) p.z += in_uv.x * in_length;  // ends of capsules
    gl_Position = clip_from_camera * vec4(dot(in_row0, p), dot(in_row1, p), dot(in_row2, p), 1.0);
}
