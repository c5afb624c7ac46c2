// One instance of one geometry, straight into camera axes (float64 products, done before upload).
// What a fragment needs of its instance goes along flat: on a CPU that is far cheaper than a fetch.
in vec3 in_position;
in vec4 in_row0, in_row1, in_row2;              // camera_from_object
in vec4 in_back0, in_back1, in_back2;           // object_from_camera
in vec4 in_rgba, in_surface, in_texturing;
in int in_id;
#ifdef SEGMENTATION
flat out int v_id;
#endif
#ifdef RGB
flat out vec4 v_rgba, v_surface;
#endif
#ifdef TEXTURED
flat out vec4 v_texturing;
#endif
#ifdef EXACT
flat out vec4 v_back2;
#ifndef PLANE_ONLY_Z
flat out vec4 v_back0, v_back1;
#endif
#endif
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
#ifdef SEGMENTATION
    v_id = in_id;
#endif
#ifdef RGB
    v_rgba = in_rgba;
    v_surface = in_surface;
#endif
#ifdef TEXTURED
    v_texturing = in_texturing;
#endif
#ifdef EXACT
    v_back2 = in_back2;
#ifndef PLANE_ONLY_Z
    v_back0 = in_back0;
    v_back1 = in_back1;
#endif
#endif
#ifdef SMOOTH
    // Normals map with the inverse transpose, which is the transposed object_from_camera.
    v_normal = in_normal.x * in_back0.xyz + in_normal.y * in_back1.xyz + in_normal.z * in_back2.xyz;
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
