// One instance of one geometry, straight into camera axes (float64 products, done before upload).
// What a fragment needs of its instance goes along flat: on a CPU that is far cheaper than a fetch.
in vec3 in_position;
in vec4 in_row0, in_row1, in_row2;              // camera_from_object
#ifdef CAPSULE
in float in_length;
#ifdef EXACT
flat out float v_length;
#endif
#endif
in vec4 in_rgba, in_surface, in_texturing;
in int in_id;
#ifdef FLAT_TEXTURE
in vec2 in_offset;
flat out vec2 v_offset;
#endif
#ifdef SEGMENTATION
flat out int v_id;
#endif
#if (defined(RGB) || defined(ALPHA)) && !defined(VERTEX_LIT)
flat out vec4 v_rgba, v_surface;
#endif
#ifdef TEXTURED
flat out vec4 v_texturing;
#endif
#ifdef TINTED
in vec4 in_colour;
out vec4 v_tint;
#endif
#ifdef EMISSIVE
in vec3 in_emissive;
flat out vec3 v_emissive;
#endif
#if defined(REFLECTIVE) && defined(STANDARD)
in float in_reflectance;
flat out float v_reflectance;
#endif
#ifdef FACE
flat out vec3 v_plane, v_facing;
#endif
#ifdef OBJECT_FROM_CAMERA
flat out vec4 v_back0, v_back1, v_back2;
#endif
#if defined(FACE) && defined(NATURAL_UV)
flat out vec3 v_axis;
#endif
#if defined(FACE) || defined(SMOOTH) || defined(VERTEX_LIT)
in vec3 in_normal;
#endif
#ifdef SMOOTH
out vec3 v_normal;
#endif
#if defined(MESH_UV) || defined(CAPSULE) || defined(CAST) || defined(SAMPLED)
in vec2 in_uv;                                  // of shapes: a capsule's end, and how much wider
#endif
#ifdef MESH_UV
out vec2 v_uv;
#endif
#ifdef OBJECT_POINT
out vec3 v_object;
#endif
#if defined(ANY_PROJECTION) && !defined(EXACT)
out float v_depth;
#endif
#ifdef VERTEX_LIT
flat out vec2 v_look;                           // alpha, reflectance
out vec3 v_lit;
#if SHADOWS > 0
out vec3 v_direct[SHADOWS];
#endif
#include lighting
#endif

#ifdef BOXED
// A corner of a box that is turned to the eye and no wider than the shape is from there.
vec3 boxed(vec3 eye) {
    vec3 axis = vec3(0.0, 0.0, 1.0), corner = in_position;
#ifdef BALL
    float away = length(eye);
    vec3 ahead = eye / away;
    axis = normalize(cross(ahead, abs(ahead.x) < 0.6 ? vec3(1.0, 0.0, 0.0) : axis));
#else
    float away = length(eye.xy);
    vec3 ahead = away > 1e-6 ? vec3(eye.xy / away, 0.0) : vec3(1.0, 0.0, 0.0);
#ifdef CAPSULE
    corner.y *= 1.0 + in_length;
#endif
#endif
    // Its sides are planes through the eye that touch the shape.
    float wide = !ORTHO && away > 1.5 ? (away - corner.z) * inversesqrt(away * away - 1.0) : 1.0;
    corner.x *= wide;
#ifdef BALL
    corner.y *= wide;
#endif
    return 1.0001 * (corner.x * cross(axis, ahead) + corner.y * axis + corner.z * ahead);
}
#endif

void main() {
#if defined(EXACT) || defined(SMOOTH) || defined(VERTEX_LIT)
    // object_from_camera: the columns of the inverse are cross products of the rows.
#ifdef EXTREME
    // Each object axis is first divided by a power of two near its length, which changes no bit but
    // those that would overflow or vanish: a determinant has three lengths in it.
    vec3 size = max(abs(in_row0.xyz), max(abs(in_row1.xyz), abs(in_row2.xyz)));
    vec3 shrink = 1.0 / uintBitsToFloat(floatBitsToUint(size) & 0x7F800000u);
    vec3 row0 = in_row0.xyz * shrink, row1 = in_row1.xyz * shrink, row2 = in_row2.xyz * shrink;
    vec3 column0 = cross(row1, row2), column1 = cross(row2, row0), column2 = cross(row0, row1);
    shrink /= dot(row0, column0);
#else
    vec3 column0 = cross(in_row1.xyz, in_row2.xyz), column1 = cross(in_row2.xyz, in_row0.xyz);
    vec3 column2 = cross(in_row0.xyz, in_row1.xyz);
    float shrink = 1.0 / dot(in_row0.xyz, column0);
#endif
    column0 *= shrink;
    column1 *= shrink;
    column2 *= shrink;
#endif
#ifdef EXACT
    vec3 shift = -(column0 * in_row0.w + column1 * in_row1.w + column2 * in_row2.w);
#endif
    vec4 p = vec4(in_position, 1.0);
#ifdef BOXED
    p.xyz = boxed(ORTHO ? column2 : shift);
#else
#if defined(CAST) || defined(SAMPLED)
#ifdef CAPS
    p.xy *= in_uv.y;
#else
    p.xyz *= in_uv.y;
#endif
#endif
#ifdef CAPSULE
    p.z += in_uv.x * in_length;
#endif
#endif
    vec4 c = vec4(dot(in_row0, p), dot(in_row1, p), dot(in_row2, p), 1.0);
#if defined(CAPSULE) && defined(EXACT)
    v_length = in_length;
#endif
#ifdef SEGMENTATION
    v_id = in_id;
#endif
#if (defined(RGB) || defined(ALPHA)) && !defined(VERTEX_LIT)
    v_rgba = in_rgba;
    v_surface = in_surface;
#endif
#ifdef TEXTURED
    v_texturing = in_texturing;
#endif
#ifdef FLAT_TEXTURE
    v_offset = in_offset;
#endif
#ifdef TINTED
    v_tint = in_colour;
#endif
#ifdef EMISSIVE
    v_emissive = in_emissive;
#endif
#if defined(REFLECTIVE) && defined(STANDARD)
    v_reflectance = in_reflectance;
#endif
#if defined(FACE) || defined(SMOOTH) || defined(VERTEX_LIT)
    // Normals map with the inverse transpose.
    vec3 normal = vec3(dot(column0, in_normal), dot(column1, in_normal), dot(column2, in_normal));
#endif
#ifdef OBJECT_FROM_CAMERA
    v_back0 = vec4(column0.x, column1.x, column2.x, shift.x);
    v_back1 = vec4(column0.y, column1.y, column2.y, shift.y);
    v_back2 = vec4(column0.z, column1.z, column2.z, shift.z);
#endif
#ifdef FACE
    // The plane of the face is normal . c = away in camera axes; along a ray that makes depth
    // (orthographic), or one over it, linear in the pixel's place.
    float away = dot(in_normal, in_position) - dot(in_normal, shift);
    vec2 slope = normal.xy * unproject.xy;
    float start = dot(normal.xy, unproject.zw);
    v_plane = vec3(slope, start - (ORTHO ? away : normal.z)) / (ORTHO ? normal.z : away);
    v_facing = normalize(normal);
#ifdef NATURAL_UV
    v_axis = in_normal;
#endif
#endif
#ifdef SMOOTH
    v_normal = normal;
#endif
#ifdef MESH_UV
    v_uv = in_uv;
#endif
#ifdef OBJECT_POINT
    v_object = in_position;
#endif
#if defined(ANY_PROJECTION) && !defined(EXACT)
    v_depth = -c.z;
#endif
#ifdef VERTEX_LIT
    v_look = vec2(in_rgba.a, in_surface.w);
    vec3 view = ORTHO ? vec3(0.0, 0.0, 1.0) : normalize(-c.xyz);
    light(in_rgba.rgb, in_surface, c.xyz, normalize(normal), view);
#endif
    gl_Position = clip_from_camera * c;
}
