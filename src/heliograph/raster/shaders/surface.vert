// One instance of one geometry, straight into camera axes (float64 products, done before upload).
in vec3 in_position;
in vec4 in_row0, in_row1, in_row2;
in int in_instance;
flat out int v_instance;
#ifdef SMOOTH
in vec3 in_normal;
out vec3 v_normal;
#endif
#ifdef MESH_UV
in vec2 in_uv;
out vec2 v_uv;
#endif
#ifdef OBJECT_POINT
out vec3 v_object;
#endif
#if defined(ORTHO) && !defined(EXACT)
out float v_depth;
#endif

void main() {
    vec4 p = vec4(in_position, 1.0);
    vec4 c = vec4(dot(in_row0, p), dot(in_row1, p), dot(in_row2, p), 1.0);
    v_instance = in_instance;
#ifdef SMOOTH
    v_normal = in_normal;
#endif
#ifdef MESH_UV
    v_uv = in_uv;
#endif
#ifdef OBJECT_POINT
    v_object = in_position;
#endif
#if defined(ORTHO) && !defined(EXACT)
    v_depth = -c.z;
#endif
    gl_Position = clip_from_camera * c;
}
